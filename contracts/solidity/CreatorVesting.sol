// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {VestingWallet} from "@openzeppelin/contracts/finance/VestingWallet.sol";
import {VestingWalletCliff} from "@openzeppelin/contracts/finance/VestingWalletCliff.sol";
import {RevenueToken} from "./RevenueToken.sol";

/// @title The creator's share of the tokens of an offering
/// @notice Tokens vest linearly after a cliff (`release(token)`). What they earn meanwhile is collected here, and vests likewise.
contract CreatorVesting is VestingWalletCliff {
    constructor(address creator, uint64 start, uint64 cliffSeconds, uint64 duration)
        VestingWallet(creator, start, duration)
        VestingWalletCliff(cliffSeconds)
    {}

    /// @notice Claims what the tokens held here have earned of an asset. Anybody may.
    function collect(RevenueToken token, uint256 snapshotId, address asset) external {
        if (asset == token.ETHER()) token.claim(snapshotId);
        else token.claimERC20(snapshotId, asset);
    }
}
