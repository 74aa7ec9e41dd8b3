// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice An ERC-20 token anybody mints, which can be told to misbehave.
contract Coin is ERC20("Coin", "COIN") {
    enum Deed {
        NONE,
        NO_BALANCE, // balanceOf reverts
        BURN_GAS, // balanceOf burns all gas
        HUGE, // balanceOf tells 2^256 - 1
        NO_TRANSFER, // transfer reverts
        REENTER // the receiver is called before anything moves
    }

    Deed public deed;
    bool public reentered;
    address private target;
    bytes private answer;

    function set(Deed deed_, address target_, bytes calldata answer_) external {
        (deed, target, answer) = (deed_, target_, answer_);
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function balanceOf(address account) public view override returns (uint256) {
        if (deed == Deed.NO_BALANCE) revert("no");
        if (deed == Deed.BURN_GAS) while (true) {}
        return deed == Deed.HUGE ? type(uint256).max : super.balanceOf(account);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (deed == Deed.NO_TRANSFER) revert("no");
        if (deed == Deed.REENTER) (reentered,) = target.call(answer);
        return super.transfer(to, amount);
    }
}
