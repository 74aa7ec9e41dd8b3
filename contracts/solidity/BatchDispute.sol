// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IStepVerifier} from "./IStepVerifier.sol";
import {Batches} from "./game/Batches.sol";
import {IClaims} from "./game/IClaims.sol";
import {Moves} from "./game/Moves.sol";
import {Proofs} from "./game/Proofs.sol";
import {Tiers} from "./game/Tiers.sol";
import {Tier} from "./game/Types.sol";

/// @title Batches of claims about runs of models, each leaf disputable like a single claim (SPEC §8.8)
/// @notice Models and tasks are those of a `Dispute`. No owner, no upgrade, no pause.
contract BatchDispute is Batches, Proofs {
    constructor(IClaims registry, IStepVerifier verifier, Tier[] memory tiers, uint256 maxLeaves, uint256 leafShare)
        Tiers(tiers)
        Moves(verifier)
        Batches(registry, maxLeaves, leafShare)
    {
        for (uint256 i = 0; i < tiers.length; ++i) {
            _requireSame(i);
        }
    }
}
