// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AIOracleCallbackReceiver} from "../oracle/AIOracleCallbackReceiver.sol";
import {IAIOracle} from "../oracle/IAIOracle.sol";

/// @notice A consumer as dapps write them for OAO: it asks for what its users ask, and keeps the answers.
contract OaoConsumer is AIOracleCallbackReceiver {
    event AnswerKept(uint256 indexed requestId, bytes output, bool isFinal);

    uint64 private constant CALLBACK_GAS = 200_000;

    mapping(uint256 requestId => bytes) public answers;
    mapping(uint256 requestId => address) public askedBy;
    uint256 public calls;
    bool public lastWasFinal;

    constructor(IAIOracle oracle) AIOracleCallbackReceiver(oracle) {}

    function ask(uint256 modelId, bytes calldata prompt) external payable returns (uint256 requestId) {
        requestId = aiOracle.requestCallback{value: msg.value}(
            modelId, prompt, address(this), CALLBACK_GAS, abi.encode(msg.sender)
        );
        askedBy[requestId] = msg.sender;
    }

    function estimate(uint256 modelId) external view returns (uint256) {
        return aiOracle.estimateFee(modelId, CALLBACK_GAS);
    }

    function aiOracleCallback(uint256 requestId, bytes calldata output, bytes calldata callbackData)
        external
        override
        onlyAIOracleCallback
    {
        require(abi.decode(callbackData, (address)) == askedBy[requestId], "not what was asked");
        answers[requestId] = output;
        ++calls;
        lastWasFinal = aiOracle.isFinalized(requestId);
        emit AnswerKept(requestId, output, lastWasFinal);
    }
}
