// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {ClaimWord} from "./ClaimWord.sol";
import "./Errors.sol";
import {Job} from "../IStepVerifier.sol";
import {Moves} from "./Moves.sol";
import {Partials} from "./Partials.sol";
import {Header} from "./Registry.sol";
import "./State.sol";
import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";
import {Claim, HeaderOpening, Opening, Parts} from "./Types.sol";

/// @dev The proofs that the submitter's trace contradicts itself. Anybody may send one, a block or more after the dispute was opened;
/// the dispute's challenger is the payee.
abstract contract Proofs is Moves {
    /// @notice A header is not what its instruction writes.
    function proveHeader(
        State calldata state,
        Claim calldata c,
        Parts calldata task,
        HeaderOpening calldata o,
        bytes calldata instruction,
        bytes calldata siblings
    ) external {
        _exact(
            192 + 2 * 160 + 5 * 32 + 6 * 32 + 32 * o.tracePath.length + _padded(instruction.length) + _padded(siblings.length)
        );
        (State memory s, bytes32 id, ClaimWord word) = _enterProof(
            state, (1 << TRACE_OPEN) | (1 << TENSOR_OPEN) | (1 << LEAF) | (1 << EMPTY)
        );
        if (s.clock.kind() == TRACE_OPEN) {
            Tensor.requireLimits(o.dtype, o.elements);
            if (o.elements == 0 && o.tensorRoot != 0) revert BadHeader();
            _requireUnder(s, o.leaf, Merkle.header(o.dtype, o.elements, o.tensorRoot), o.tracePath);
        } else {
            _requireHeader(s, o.leaf, o.dtype, o.elements, o.tracePath);
        }
        (uint256 dtype, uint256 elements,) = _shape(s, c, task, o.leaf, instruction, siblings);
        if (dtype == o.dtype && elements == o.elements) revert NoContradiction();
        _win(s, id, word);
    }

    /// @notice The run halted before its claimed end.
    function proveHalt(State calldata state, Claim calldata c, Opening calldata o) external {
        _exact(192 + 160 + 32 + _size(o));
        (State memory s, bytes32 id, ClaimWord word) = _enterProof(state, 1 << TRACE_OPEN);
        _requireClaim(s.claimId, c);
        Header header = _header(c.taskId);
        uint256 t = o.leaf / header.N();
        unchecked {
            if (t + 1 >= c.T || o.leaf % header.N() != header.halt() || o.e != 0) revert BadElement();
        }
        if (_open(s, o) == 0) revert NoContradiction();
        _win(s, id, word);
    }

    /// @notice An element is not what its instruction computes.
    function proveElement(
        State calldata state,
        Claim calldata c,
        Parts calldata task,
        Opening calldata o,
        bytes calldata instruction,
        bytes calldata witness
    ) external {
        _exact(192 + 2 * 160 + 5 * 32 + _size(o) + _padded(instruction.length) + _padded(witness.length));
        (State memory s, bytes32 id, ClaimWord word) =
            _enterProof(state, (1 << TRACE_OPEN) | (1 << TENSOR_OPEN) | (1 << LEAF));
        int256 value = _open(s, o);
        if (verifier.element(_job(s, c, task, o.leaf), o.e, instruction, witness) == value) revert NoContradiction();
        _win(s, id, word);
    }

    /// @notice A partial is not what its terms give.
    function proveSlice(
        State calldata state,
        Claim calldata c,
        Parts calldata task,
        uint256 part,
        bytes calldata partials,
        bytes calldata instruction,
        bytes calldata witness
    ) external {
        _exact(
            192 + 2 * 160 + 7 * 32 + _padded(partials.length) + _padded(instruction.length) + _padded(witness.length)
        );
        (State memory s, bytes32 id, ClaimWord word) =
            _enterProof(state, (1 << ELEMENT_PARTIALS) | (1 << SLICE_PARTIALS));
        (uint256 k0, uint256 k1, int256 value) = _part(s, part, partials);
        Job memory job = _job(s, c, task, s.place.leaf());
        if (verifier.slice(job, uint64(s.place.e()), uint64(k0), uint64(k1), instruction, witness) == value) {
            revert NoContradiction();
        }
        _win(s, id, word);
    }

    /// @notice An element is not what follows from its partials.
    function provePost(
        State calldata state,
        Claim calldata c,
        Parts calldata task,
        bytes calldata partials,
        bytes calldata instruction,
        bytes calldata witness
    ) external {
        _exact(
            192 + 2 * 160 + 6 * 32 + _padded(partials.length) + _padded(instruction.length) + _padded(witness.length)
        );
        (State memory s, bytes32 id, ClaimWord word) = _enterProof(state, 1 << ELEMENT_PARTIALS);
        if (keccak256(partials) != s.node) revert BadHash();
        int128 acc = int128(Partials.combine(partials, Partials.count(s.range, s.clock.arityLog2()), s.place.reducer()));
        Job memory job = _job(s, c, task, s.place.leaf());
        if (verifier.post(job, uint64(s.place.e()), acc, instruction, witness) == s.range.value()) {
            revert NoContradiction();
        }
        _win(s, id, word);
    }

    function _enterProof(State calldata state, uint256 kinds)
        private
        view
        returns (State memory s, bytes32 id, ClaimWord word)
    {
        // No turn follows: the clocks stay as they are.
        (s, id, word) = _inTime(state, kinds);
        if (block.number <= s.clock.openBlock()) revert TooEarly();
    }

    function _win(State memory s, bytes32 id, ClaimWord word) private {
        uint256 gain = _times(word.tier()).weightProve();
        s.clock = s.clock.addWeight(gain);
        _leave(s, id);
        _fall(s, id, word.addWeight(gain).refuted());
    }

    /// @dev The element that is opened under the disputed node of the trace or of a tensor.
    function _open(State memory s, Opening calldata o) private pure returns (int256 value) {
        value = _element(o);
        if (s.clock.kind() == TRACE_OPEN) {
            _requireUnder(s, o.leaf, _headerHash(o), o.tracePath);
        } else {
            _requireHeader(s, o.leaf, o.dtype, o.elements, o.tracePath);
            _requireUnder(s, Tensor.leafOf(o.dtype, o.e), Tensor.leafHash(o.data), o.tensorPath);
        }
    }

    /// @dev Refuses a hash that is not that of leaf `leaf` under the disputed node.
    function _requireUnder(State memory s, uint256 leaf, bytes32 hash, bytes32[] calldata path) private pure {
        uint256 leaves = s.place.leaves();
        uint256 height = s.clock.height();
        if (leaf >= leaves || leaf >> height != s.place.index()) revert BadElement();
        if (Tree.climb(hash, leaves, 0, leaf, height, path) != s.node) revert BadHash();
    }

    /// @dev Refuses a header that is not the one already revealed.
    function _requireHeader(State memory s, uint256 leaf, uint256 dtype, uint256 elements, bytes32[] calldata path)
        private
        pure
    {
        Place p = s.place;
        if (leaf != p.leaf() || dtype != p.dtype() || elements != p.elements() || path.length != 0) revert BadHeader();
    }

    function _job(State memory s, Claim calldata c, Parts calldata task, uint256 leaf) private view returns (Job memory) {
        uint256 counts = _counts(s, c, task);
        uint256 N = counts >> 64;
        return Job({
            programRoot: task.programRoot,
            constsRoot: task.constsRoot,
            inputRoot: task.inputRoot,
            traceRoot: traceRoots[s.claimId],
            counts: counts,
            T: c.T,
            t: uint64(leaf / N),
            i: uint32(leaf % N)
        });
    }

    /// @dev The length of an opening as an argument.
    function _size(Opening calldata o) private pure returns (uint256) {
        unchecked {
            return 16 * 32 + 32 * (o.tensorPath.length + o.tracePath.length);
        }
    }
}
