// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IStepVerifier} from "./IStepVerifier.sol";
import {Moves} from "./game/Moves.sol";
import {Proofs} from "./game/Proofs.sol";
import {Singles} from "./game/Singles.sol";
import {Tiers} from "./game/Tiers.sol";
import {Tier} from "./game/Types.sol";

/// @title Claims about runs of models, and the game that finds the false ones (SPEC §7, §8)
/// @notice No owner, no upgrade, no pause: the parameters are part of the code, and everything is named by value.
contract Dispute is Proofs, Singles {
    constructor(IStepVerifier verifier, Tier[] memory tiers) Tiers(tiers) Moves(verifier) {}
}
