// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ClaimWord} from "../game/ClaimWord.sol";
import {Model} from "../game/Registry.sol";
import {Bonds, Times} from "../game/Tiers.sol";
import {Claim} from "../game/Types.sol";

/// @notice What oracles ask of the contract of claims.
interface IDispute {
    function registerModel(
        bytes32 programRoot,
        bytes32 constsRoot,
        uint32 N,
        uint32 nConsts,
        uint32 out,
        uint32 halt,
        bytes calldata inputHeaders
    ) external returns (bytes32 modelRoot);

    function openTask(bytes32 modelRoot, uint64 maxT, uint8 tier, bytes calldata inputHeaders, bytes[] calldata inputs)
        external
        returns (bytes32 taskId);

    function modelOf(bytes32 modelRoot) external view returns (Model memory);

    function tier(uint256 number) external view returns (Times, Bonds);

    function claimIdOf(Claim memory c) external view returns (bytes32);

    function claimOf(bytes32 claimId) external view returns (ClaimWord);

    function disputeOf(bytes32 disputeId) external view returns (bytes32);
}
