// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice The interface of ORA's opML.
interface IOpml {
    function uploadModel(bytes32 modelHash, bytes32 programHash) external;

    function initOpmlRequest(bytes32 modelHash, bytes32 programHash, bytes calldata input)
        external
        returns (uint256 requestId);

    function uploadResult(uint256 requestId, bytes calldata output) external;

    function startChallenge(uint256 requestId, bytes calldata output, bytes32 finalState, uint256 stepCount)
        external
        returns (uint256 challengeId);

    function isFinalized(uint256 requestId) external view returns (bool);

    function getOutput(uint256 requestId) external view returns (bytes memory);
}
