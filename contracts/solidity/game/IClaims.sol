// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ClaimWord} from "./ClaimWord.sol";
import {Header} from "./Registry.sol";
import {Bonds, Times} from "./Tiers.sol";
import {Claim} from "./Types.sol";

/// @notice What contracts of the protocol ask of the one that has the models, the tasks and the claims.
interface IClaims {
    function tier(uint256 number) external view returns (Times, Bonds);

    function taskOf(bytes32 taskId) external view returns (Header);

    function claimIdOf(Claim memory c) external view returns (bytes32);

    function claimOf(bytes32 claimId) external view returns (ClaimWord);

    function traceRootOf(bytes32 claimId) external view returns (bytes32);

    function isRootAuthoritative(bytes32 claimId) external view returns (bool);
}
