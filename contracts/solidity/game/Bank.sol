// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {NothingToWithdraw, TransferFailed} from "./Errors.sol";
import {BURN} from "./Types.sol";

/// @dev Payouts are credited and pulled, so that a payee that refuses or re-enters hurts only itself.
abstract contract Bank {
    event Credited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);

    mapping(address account => uint256) internal credits;

    /// @notice What an account may withdraw; of the burn address, what `burn` sends there.
    function creditOf(address account) external view returns (uint256) {
        return credits[account];
    }

    /// @notice Pays out the sender's credit.
    function withdraw() external {
        _pay(msg.sender);
    }

    /// @notice Sends what was burnt so far to the burn address. Anybody may.
    function burn() external {
        _pay(BURN);
    }

    function _credit(address account, uint256 amount) internal {
        credits[account] += amount;
        emit Credited(account, amount);
    }

    function _pay(address account) internal {
        uint256 amount = credits[account];
        if (amount == 0) revert NothingToWithdraw();
        credits[account] = 0;
        emit Withdrawn(account, amount);
        (bool ok,) = account.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }
}
