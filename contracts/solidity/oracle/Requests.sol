// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BadGasLimit, TooLittleValue, UnknownRequest} from "./Errors.sol";
import {IAIOracle} from "./IAIOracle.sol";
import {Inputs} from "./Inputs.sol";
import {Listings, Terms} from "./Listings.sol";

/// @dev When a request's contract is called back.
enum Mode {
    OPTIMISTIC, // with the first answer; again if the final one differs or there is none
    FINAL, // with the final answer only
    CONFIRMED // with the first answer, and with the final one even if it is the same
}

enum Status {
    NONE,
    OPEN,
    ANSWERED, // the answer is final
    REFUNDED
}

/// @dev What became of the calls to a request's contract.
struct Delivery {
    bool first; // an answer that was not final was delivered
    bool last; // the final answer, or that there is none
    bool succeeded; // the latest call
    bool retried;
}

struct Request {
    address account;
    uint64 gasLimit;
    Mode mode;
    Status status;
    address callbackContract;
    uint40 deadline;
    bool settled;
    bool gasPaid;
    Delivery delivery;
    address refundTo;
    uint96 fee;
    uint96 gasFee;
    uint48 T; // of the final answer
    uint32 head; // entries below it can win nothing any more
    uint256 modelId;
    bytes32 taskId;
    bytes32 answer; // hash of the final output
    bytes32 delivered; // hash of the output that was delivered first
    bytes callbackData;
}

/// @dev Requests: numbered from 1, each a task of the claims contract on posted inputs.
abstract contract Requests is Listings, IAIOracle {
    using Inputs for bytes;

    event RequestTask(uint256 indexed requestId, bytes32 indexed taskId, Mode mode, uint256 deadline);

    /// @notice The largest gas limit of a callback: a delivery always fits a transaction.
    uint64 public constant MAX_CALLBACK_GAS = 10_000_000;

    mapping(uint256 requestId => Request) internal requests;
    uint256 public requestCount;

    /// @inheritdoc IAIOracle
    function requestCallback(
        uint256 modelId,
        bytes calldata input,
        address callbackContract,
        uint64 gasLimit,
        bytes calldata callbackData
    ) external payable returns (uint256) {
        return _request(modelId, input, callbackContract, gasLimit, callbackData, Mode.OPTIMISTIC, msg.sender);
    }

    /// @notice The same with a mode, and with the account that gets money back; 0 is the sender.
    function requestCallback(
        uint256 modelId,
        bytes calldata input,
        address callbackContract,
        uint64 gasLimit,
        bytes calldata callbackData,
        Mode mode,
        address refundTo
    ) external payable returns (uint256) {
        return _request(modelId, input, callbackContract, gasLimit, callbackData, mode, refundTo);
    }

    /// @inheritdoc IAIOracle
    function estimateFee(uint256 modelId, uint256 gasLimit) external view returns (uint256) {
        Terms memory terms = _listed(modelId);
        return terms.fee + terms.gasPrice * gasLimit;
    }

    /// @inheritdoc IAIOracle
    function isFinalized(uint256 requestId) public view returns (bool) {
        return requests[requestId].status == Status.ANSWERED;
    }

    /// @notice The hash of the final output; 0 if there is none yet.
    function answerOf(uint256 requestId) external view returns (bytes32) {
        return requests[requestId].answer;
    }

    /// @notice All that is known of a request; all zero if there is none of this number.
    function requestOf(uint256 requestId) external view returns (Request memory) {
        return requests[requestId];
    }

    function _known(uint256 requestId) internal view returns (Request storage r) {
        r = requests[requestId];
        if (r.status == Status.NONE) revert UnknownRequest();
    }

    function _request(
        uint256 modelId,
        bytes calldata input,
        address callbackContract,
        uint64 gasLimit,
        bytes calldata callbackData,
        Mode mode,
        address refundTo
    ) private returns (uint256 id) {
        Terms memory terms = _listed(modelId);
        if ((callbackContract == address(0)) != (gasLimit == 0) || gasLimit > MAX_CALLBACK_GAS) revert BadGasLimit();
        uint256 gasFee = uint256(terms.gasPrice) * gasLimit;
        if (msg.value < terms.fee + gasFee) revert TooLittleValue();
        id = ++requestCount;
        Request storage r = requests[id];
        (r.account, r.gasLimit, r.mode, r.status) = (msg.sender, gasLimit, mode, Status.OPEN);
        (r.callbackContract, r.deadline) = (callbackContract, uint40(block.timestamp + terms.ttl));
        if (refundTo == address(0)) refundTo = msg.sender;
        (r.refundTo, r.fee, r.gasFee, r.modelId) = (refundTo, terms.fee, uint96(gasFee), modelId);
        r.callbackData = callbackData;
        r.taskId = dispute.openTask(
            terms.modelRoot, terms.maxT, terms.tier, headersOf[modelId], input.split(headersOf[modelId])
        );
        uint256 excess = msg.value - terms.fee - gasFee;
        if (excess != 0) _credit(refundTo, excess);
        emit AICallbackRequest(msg.sender, id, modelId, input, callbackContract, gasLimit, callbackData);
        emit RequestTask(id, r.taskId, mode, r.deadline);
    }
}
