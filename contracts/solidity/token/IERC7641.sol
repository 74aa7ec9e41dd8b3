// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice ERC-7641: a token that is a share of a pool of revenue.
interface IERC7641 is IERC20 {
    /// @notice What an account may claim, in wei, of the revenue between a snapshot and the one before it.
    function claimableRevenue(address account, uint256 snapshotId) external view returns (uint256);

    /// @notice Claims it, once.
    function claim(uint256 snapshotId) external;

    /// @notice Closes a period; gives the number of the snapshot at its end.
    function snapshot() external returns (uint256);

    /// @notice What burning so many tokens brings, in wei.
    function redeemableOnBurn(uint256 amount) external view returns (uint256);

    /// @notice Burns tokens for their share of the pool.
    function burn(uint256 amount) external;
}

/// @notice The extension for revenue in ERC-20 tokens.
interface IERC7641AltRevToken is IERC7641 {
    /// @notice What an account may claim in `token`.
    function claimableERC20(address account, uint256 snapshotId, address token) external view returns (uint256);

    /// @notice What burning so many tokens brings in `token`.
    function redeemableERC20OnBurn(uint256 amount, address token) external view returns (uint256);
}
