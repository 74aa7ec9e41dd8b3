// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev How a revenue token divides and when.
struct TokenTerms {
    string name;
    string symbol;
    uint16 claimable; // share of revenue that holders claim, in 1/10,000; the rest is for those who burn
    uint32 snapshotInterval; // least seconds between snapshots
    address[] revenueTokens; // ERC-20 tokens besides ether
}

/// @dev Where a model's revenue lies until it is fetched: an oracle.
interface IRevenueSource {
    function claimModelRevenue(uint256 modelId) external;
}
