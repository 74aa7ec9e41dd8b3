// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../game/Types.sol";
import {Answers} from "./Answers.sol";
import "./Errors.sol";
import {IAIOracleCallback} from "./IAIOracle.sol";
import {Mode, Request, Status} from "./Requests.sol";

/// @dev Brings answers to the contracts that asked. All state is written before the call, the callee gets the gas that was asked for and
/// no less, nothing that it returns is looked at, and its failure stops nothing.
abstract contract Deliveries is Answers {
    event Delivered(uint256 indexed requestId, bytes32 indexed outputHash, bool last, bool succeeded);
    event Refunded(uint256 indexed requestId, address indexed account, uint256 amount);

    /// @dev Gas of a call itself, at most: a cold account and what the compiler does around it.
    uint256 private constant CALL_RESERVE = 5_000;

    /// @notice Registers a claim of this output as an answer, whoever made it. The first one of an optimistic request is delivered at once.
    function answer(uint256 requestId, Claim calldata c, bytes calldata output) external returns (uint256 index) {
        index = _append(requestId, c);
        _deliverFirst(requestId, c, output);
    }

    /// @notice The same for a claim that was committed to.
    function reveal(uint256 requestId, uint256 index, Claim calldata c, bytes32 salt, bytes calldata output) external {
        _reveal(requestId, index, c, salt);
        _deliverFirst(requestId, c, output);
    }

    /// @notice The same for the sender's own claim of a run of the listing's `maxT` with the request's number as its nonce: all that OAO's
    /// nodes know of an answer.
    function invokeCallback(uint256 requestId, bytes calldata output) external {
        Request storage r = _known(requestId);
        uint64 T = listings[r.modelId].maxT;
        Claim memory c = Claim(r.taskId, T, keccak256(output), msg.sender, uint64(requestId));
        _append(requestId, c);
        _deliverFirst(requestId, c, output);
    }

    /// @notice Delivers the final answer, once, and pays the fee if it is decided whose it is. Anybody may.
    function updateResult(uint256 requestId, bytes calldata output) external {
        Request storage r = _known(requestId);
        if (r.status == Status.REFUNDED) revert RequestClosed();
        if (r.delivery.last) revert AlreadyDelivered();
        if (r.status == Status.OPEN) _conclude(requestId, _findFinal(requestId));
        bytes32 hash = keccak256(output);
        if (hash != r.answer) revert WrongOutput();
        r.delivery.last = true;
        if (!r.settled) _settle(requestId);
        if (_wanted(r, hash)) {
            _payGas(r);
            _call(requestId, r, output, hash, r.gasLimit, true);
        }
        emit AICallbackResult(r.account, requestId, msg.sender, output);
    }

    /// @notice Gives the money of an unanswered request back, from the deadline on, if no claim on it may still stand. An answer that was
    /// delivered is taken back by a call without output.
    function refund(uint256 requestId) external {
        Request storage r = _known(requestId);
        if (r.status != Status.OPEN) revert RequestClosed();
        if (block.timestamp < r.deadline) revert DeadlineNotPassed();
        if (_advance(requestId, r) != entries[requestId].length) revert LiveClaims();
        r.status = Status.REFUNDED;
        uint256 amount = r.fee;
        if (!r.gasPaid) amount += r.gasFee;
        r.gasPaid = true;
        _credit(r.refundTo, amount);
        emit Refunded(requestId, r.refundTo, amount);
        if (!r.delivery.first || r.callbackContract == address(0)) return;
        r.delivery.last = true;
        _call(requestId, r, msg.data[:0], keccak256(""), r.gasLimit, true);
    }

    /// @notice Repeats the last delivery if it failed, once, with all gas that the caller gives. Only the account that asked or its contract.
    function retry(uint256 requestId, bytes calldata output) external {
        Request storage r = _known(requestId);
        if (msg.sender != r.account && msg.sender != r.callbackContract) revert NotAllowed();
        if (!r.delivery.last || r.delivery.succeeded || r.delivery.retried || r.callbackContract == address(0)) {
            revert NothingToRetry();
        }
        bytes32 hash = keccak256(output);
        if (hash != (r.status == Status.ANSWERED ? r.answer : keccak256(""))) revert WrongOutput();
        r.delivery.retried = true;
        _call(requestId, r, output, hash, 0, true);
    }

    /// @dev Delivers the output of a claim that was just registered, if it is to be and nothing was delivered.
    function _deliverFirst(uint256 requestId, Claim memory c, bytes calldata output) private {
        if (keccak256(output) != c.outputHash) revert WrongOutput();
        Request storage r = requests[requestId];
        if (r.status != Status.OPEN || r.mode == Mode.FINAL || r.delivery.first) return;
        _first(requestId, r, output, c.outputHash);
    }

    function _first(uint256 requestId, Request storage r, bytes calldata output, bytes32 hash) private {
        r.delivery.first = true;
        r.delivered = hash;
        _payGas(r);
        if (r.callbackContract != address(0)) _call(requestId, r, output, hash, r.gasLimit, false);
        emit AICallbackResult(r.account, requestId, msg.sender, output);
    }

    /// @dev Whether the final answer is news to the contract that asked.
    function _wanted(Request storage r, bytes32 hash) private view returns (bool) {
        if (r.callbackContract == address(0)) return false;
        return !r.delivery.first || !r.delivery.succeeded || r.delivered != hash || r.mode == Mode.CONFIRMED;
    }

    /// @dev Credits the callback's gas to whoever pays for it, once.
    function _payGas(Request storage r) private {
        if (r.gasPaid) return;
        r.gasPaid = true;
        if (r.gasFee != 0) _credit(msg.sender, r.gasFee);
    }

    /// @dev Calls the contract that asked, with exactly `limit` gas, or with all if that is 0.
    function _call(uint256 requestId, Request storage r, bytes calldata output, bytes32 hash, uint256 limit, bool last)
        private
    {
        bytes memory data = abi.encodeCall(IAIOracleCallback.aiOracleCallback, (requestId, output, r.callbackData));
        address to = r.callbackContract;
        // A call hands on at most 63/64 of what is left (EIP-150): whoever gives less would make it fail.
        if (limit != 0 && gasleft() < limit + limit / 63 + CALL_RESERVE) revert TooLittleGas();
        if (limit == 0) limit = gasleft();
        r.delivery.succeeded = true; // until the call has failed: nothing can be retried inside it
        bool ok;
        assembly ("memory-safe") {
            ok := call(limit, to, 0, add(data, 32), mload(data), 0, 0)
        }
        if (r.delivery.last == last) r.delivery.succeeded = ok; // unless the callee had the final answer brought meanwhile
        emit Delivered(requestId, hash, last, ok);
    }
}
