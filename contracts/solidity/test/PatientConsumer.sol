// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AIOracle} from "../AIOracle.sol";
import {AIOracleCallbackReceiver} from "../oracle/AIOracleCallbackReceiver.sol";
import {IAIOracle} from "../oracle/IAIOracle.sol";
import {Mode} from "../oracle/Requests.sol";

/// @notice Pays a prize for the first prompt that a model answers as wanted. Money rests on the answer, so only a final one counts.
contract PatientConsumer is AIOracleCallbackReceiver {
    uint64 private constant CALLBACK_GAS = 100_000;

    uint256 private immutable MODEL_ID;
    bytes32 private immutable WANTED;

    mapping(uint256 requestId => address payable) public askedBy;
    address payable public winner;

    constructor(IAIOracle oracle, uint256 modelId, bytes memory wanted) payable AIOracleCallbackReceiver(oracle) {
        (MODEL_ID, WANTED) = (modelId, keccak256(wanted));
    }

    function enter(bytes calldata prompt) external payable returns (uint256 requestId) {
        requestId = AIOracle(address(aiOracle)).requestCallback{value: msg.value}(
            MODEL_ID, prompt, address(this), CALLBACK_GAS, "", Mode.FINAL, msg.sender
        );
        askedBy[requestId] = payable(msg.sender);
    }

    function aiOracleCallback(uint256 requestId, bytes calldata output, bytes calldata)
        external
        override
        onlyAIOracleCallback
    {
        if (winner == address(0) && keccak256(output) == WANTED) winner = askedBy[requestId];
    }

    function takePrize() external {
        require(msg.sender == winner, "not the winner");
        (bool paid,) = winner.call{value: address(this).balance}("");
        require(paid, "not paid");
    }
}
