// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Board} from "./Board.sol";
import {ClaimWord, ClaimWordLib, FINAL} from "./ClaimWord.sol";
import {BadValue, DisputesOpen, IdUsed, WindowOpen} from "./Errors.sol";
import {Header, Registry} from "./Registry.sol";
import {Claim, TraceOpening} from "./Types.sol";

/// @dev Claims made one by one, each with a slot and a bond of its own.
abstract contract Singles is Registry, Board {
    event Claimed(bytes32 indexed claimId, bytes32 indexed taskId, address indexed submitter, Claim claim, bytes output);

    mapping(bytes32 claimId => ClaimWord) private claims;

    /// @notice Claims that the task's run has length `T` and this output. The value is the tier's bond.
    function claim(bytes32 taskId, uint64 T, uint64 nonce, bytes calldata output) external payable returns (bytes32 id) {
        (id,,) = _claim(taskId, T, nonce, output);
    }

    /// @notice The same, with the trace open from the beginning.
    function claimEager(bytes32 taskId, uint64 T, uint64 nonce, bytes calldata output, TraceOpening calldata opening)
        external
        payable
        returns (bytes32)
    {
        (bytes32 id, ClaimWord word, Header header) = _claim(taskId, T, nonce, output);
        _openTrace(id, word, header, T, output, opening);
        return id;
    }

    /// @notice Opens a dispute of the sender's own against a pending claim. The value is the tier's bond.
    function challenge(bytes32 claimId, uint16 nonce) external payable returns (bytes32) {
        return _challenge(claimId, _pending(claimId), nonce);
    }

    /// @notice Ends a claim that nobody disputes any more; the submitter's bond is credited.
    function finalize(Claim calldata c) external {
        bytes32 id = claimIdOf(c);
        ClaimWord word = _pending(id);
        if (_windowOpen(word)) revert WindowOpen();
        if (word.open() != 0) revert DisputesOpen();
        claims[id] = word.becomes(FINAL);
        _credit(c.submitter, _bondS(word));
        emit Finalized(id);
    }

    function _read(bytes32 id) internal view override returns (ClaimWord) {
        return claims[id];
    }

    function _write(bytes32 id, ClaimWord word) internal override {
        claims[id] = word;
    }

    function _header(bytes32 taskId) internal view override returns (Header) {
        return tasks[taskId];
    }

    function _bondS(ClaimWord word) internal view override returns (uint256) {
        return _bonds(word.tier()).bondS();
    }

    function _leftAlone(bytes32, ClaimWord word) internal pure override returns (bool) {
        return word.open() == 0;
    }

    function _claim(bytes32 taskId, uint64 T, uint64 nonce, bytes calldata output)
        private
        returns (bytes32 id, ClaimWord word, Header header)
    {
        header = _task(taskId);
        _requireLength(header, T);
        if (msg.value != _bonds(header.tier()).bondS()) revert BadValue();
        Claim memory c = Claim(taskId, T, keccak256(output), msg.sender, nonce);
        id = claimIdOf(c);
        if (ClaimWord.unwrap(claims[id]) != 0) revert IdUsed();
        word = ClaimWordLib.pack(header.tier(), T * header.N());
        claims[id] = word;
        emit Claimed(id, taskId, msg.sender, c, output);
    }
}
