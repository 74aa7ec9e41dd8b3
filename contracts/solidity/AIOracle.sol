// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Answers} from "./oracle/Answers.sol";
import {Deliveries} from "./oracle/Deliveries.sol";
import {IDispute} from "./oracle/IDispute.sol";
import {Listings} from "./oracle/Listings.sol";

/// @title An AI oracle whose answers are claims (docs/oracle.md)
/// @notice ABI-compatible with OAO. No owner, no upgrade, no pause; payouts are pulled.
contract AIOracle is Deliveries {
    constructor(IDispute dispute, uint256 commitBond, uint256 revealTime)
        Listings(dispute)
        Answers(commitBond, revealTime)
    {}

    /// @notice Pays out the credit of an account that cannot ask for it itself. Anybody may.
    function withdrawFor(address account) external {
        _pay(account);
    }
}
