// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A stand-in with the known fault of snapshot-based revenue tokens: who holds at the moment of the snapshot gets the whole period.
contract FaultyShare is ERC20("Faulty", "F") {
    uint256 private revenueAt;
    uint256 private supplyAt;
    uint256 private shared;
    mapping(address => uint256) private balanceAt;
    mapping(address => bool) private claimed;

    constructor() {
        _mint(msg.sender, 100 ether);
    }

    receive() external payable {}

    function snapshot() external returns (uint256) {
        (revenueAt, supplyAt) = (address(this).balance - shared, totalSupply());
        shared += revenueAt;
        balanceAt[msg.sender] = balanceOf(msg.sender); // all that a test needs
        return 1;
    }

    function claim(uint256) external {
        require(!claimed[msg.sender]);
        claimed[msg.sender] = true;
        (bool ok,) = msg.sender.call{value: revenueAt * balanceAt[msg.sender] / supplyAt}("");
        require(ok);
    }
}
