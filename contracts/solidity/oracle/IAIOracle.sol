// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice What a consumer of an AI oracle calls: the interface of ORA's OAO, unchanged.
interface IAIOracle {
    event AICallbackRequest(
        address indexed account,
        uint256 indexed requestId,
        uint256 modelId,
        bytes input,
        address callbackContract,
        uint64 gasLimit,
        bytes callbackData
    );
    event AICallbackResult(address indexed account, uint256 indexed requestId, address invoker, bytes output);

    /// @notice Asks a model. The value is `estimateFee`, what is more is credited back. `gasLimit` is 0 exactly if there is no contract to
    /// call back.
    function requestCallback(
        uint256 modelId,
        bytes memory input,
        address callbackContract,
        uint64 gasLimit,
        bytes memory callbackData
    ) external payable returns (uint256);

    /// @notice What a request costs, in wei.
    function estimateFee(uint256 modelId, uint256 gasLimit) external view returns (uint256);

    /// @notice Whether the request has an answer that stands for ever.
    function isFinalized(uint256 requestId) external view returns (bool);
}

/// @notice What an AI oracle calls.
interface IAIOracleCallback {
    /// @notice Brings an answer. Ask `isFinalized(requestId)` whether it may still change. Empty output takes an earlier answer back.
    function aiOracleCallback(uint256 requestId, bytes calldata output, bytes calldata callbackData) external;
}
