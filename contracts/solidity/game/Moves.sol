// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {Board} from "./Board.sol";
import {ClaimWord} from "./ClaimWord.sol";
import "./Errors.sol";
import {IStepVerifier} from "../IStepVerifier.sol";
import {Partials} from "./Partials.sol";
import {Header, modelRootOf} from "./Registry.sol";
import "./State.sol";
import {Tensor} from "./Tensor.sol";
import {Tree} from "./Tree.sol";
import {Claim, Parts} from "./Types.sol";

/// @dev The moves that walk down the submitter's trace (SPEC §7.2).
abstract contract Moves is Board {
    event Selected(bytes32 indexed disputeId, State state);
    event Revealed(bytes32 indexed disputeId, State state, bytes32[] words);
    event LeafRevealed(bytes32 indexed disputeId, State state, bytes32[8] data);
    event PartialsRevealed(bytes32 indexed disputeId, State state, bytes partials);

    IStepVerifier public immutable verifier;

    constructor(IStepVerifier verifier_) {
        require(address(verifier_).code.length != 0);
        verifier = verifier_;
    }

    /// @notice The challenger names a child of a node whose children were revealed.
    function select(State calldata state, uint256 child, bytes32 hash, bytes32[] calldata siblings) external {
        unchecked {
            _exact(192 + 4 * 32 + 32 * siblings.length);
            (State memory s, bytes32 id, ClaimWord word) = _enter(state, (1 << TRACE_OPEN) | (1 << TENSOR_OPEN));
            _requireChallenger(s);
            uint256 height = s.clock.height();
            (uint256 levels, uint256 first, uint256 count) = _children(s, height);
            if (child >= count) revert BadChild();
            height -= levels;
            if (Tree.climb(hash, s.place.leaves(), height, first + child, levels, siblings) != s.node) revert BadHash();
            s.node = hash;
            s.place = s.place.withIndex(first + child);
            s.clock = s.clock.to(s.clock.kind() + 1, height);
            _weigh(s, word, s.clock.weightSelect());
            _leave(s, id);
            emit Selected(id, s);
        }
    }

    /// @notice Reveals all real children of a hidden node. Anybody may: the hash determines them.
    function reveal(State calldata state, bytes32[] calldata children) external {
        unchecked {
            _exact(192 + 2 * 32 + 32 * children.length);
            (State memory s, bytes32 id,) = _enter(state, (1 << TRACE_HIDDEN) | (1 << TENSOR_HIDDEN));
            uint256 height = s.clock.height();
            if (height == 0) revert WrongKind();
            (uint256 levels,, uint256 count) = _children(s, height);
            if (children.length != count) revert BadChild();
            if (Merkle.foldHashes(children, levels) != s.node) revert BadHash();
            s.clock = s.clock.to(s.clock.kind() - 1, height);
            _leave(s, id);
            emit Revealed(id, s, children);
        }
    }

    /// @notice Reveals the header at a trace leaf, and in `words` the only leaf of its tensor or the children of the tensor's root.
    function revealHeader(State calldata state, uint8 dtype, uint64 elements, bytes32[] calldata words) external {
        unchecked {
            _exact(192 + 4 * 32 + 32 * words.length);
            (State memory s, bytes32 id,) = _enter(state, 1 << TRACE_HIDDEN);
            if (s.clock.height() != 0) revert WrongKind();
            Tensor.requireLimits(dtype, elements);
            uint256 leaves = Tensor.leaves(dtype, elements);
            s.place = PlaceLib.ofTensor(s.place.index(), leaves, elements, dtype);
            bytes32 node = s.node;
            if (leaves > 1) {
                uint256 height = Merkle.depth(leaves);
                s.clock = s.clock.to(TENSOR_OPEN, height);
                (uint256 levels,, uint256 count) = _children(s, height);
                if (words.length != count) revert BadChild();
                s.node = Merkle.foldHashes(words, levels);
            } else if (leaves == 1) {
                s.clock = s.clock.to(LEAF, 0);
                if (words.length != 8) revert BadChild();
                s.node = _checkLeaf(s, _leafOf(words));
            } else {
                s.clock = s.clock.to(EMPTY, 0);
                if (words.length != 0) revert BadChild();
                s.node = 0;
            }
            if (Merkle.header(dtype, elements, s.node) != node) revert BadHash();
            _leave(s, id);
            emit Revealed(id, s, words);
        }
    }

    /// @notice Reveals a leaf of a tensor. Anybody may.
    function revealLeaf(State calldata state, bytes32[8] calldata data) external {
        _exact(192 + 256);
        (State memory s, bytes32 id,) = _enter(state, 1 << TENSOR_HIDDEN);
        if (s.clock.height() != 0) revert WrongKind();
        if (_checkLeaf(s, data) != s.node) revert BadHash();
        s.clock = s.clock.to(LEAF, 0);
        _leave(s, id);
        emit LeafRevealed(id, s, data);
    }

    /// @notice The challenger names an element of a revealed leaf whose reduction is to be cut into partials.
    function selectElement(
        State calldata state,
        Claim calldata c,
        Parts calldata task,
        uint64 e,
        bytes32[8] calldata data,
        bytes calldata instruction,
        bytes calldata siblings
    ) external {
        _exact(192 + 2 * 160 + 256 + 5 * 32 + _padded(instruction.length) + _padded(siblings.length));
        (State memory s, bytes32 id, ClaimWord word) = _enter(state, 1 << LEAF);
        _requireChallenger(s);
        if (Tensor.leafHash(data) != s.node) revert BadHash();
        uint256 dtype = s.place.dtype();
        if (e >= s.place.elements() || Tensor.leafOf(dtype, e) != s.place.index()) revert BadElement();
        (,, uint256 terms) = _shape(s, c, task, s.place.leaf(), instruction, siblings);
        if (terms < 2) revert TooSmall();
        s.node = 0;
        s.range = RangeLib.pack(Tensor.element(data, dtype, e), 0, terms);
        s.place = PlaceLib.ofElement(s.place.leaf(), e, uint8(instruction[1]));
        s.clock = s.clock.to(ELEMENT, 0);
        _weigh(s, word, s.clock.weightSelect());
        _leave(s, id);
        emit Selected(id, s);
    }

    /// @notice The submitter cuts a range of terms into parts and gives their partials, 16 bytes each.
    function revealPartials(State calldata state, Claim calldata c, bytes calldata partials) external {
        _exact(192 + 160 + 2 * 32 + _padded(partials.length));
        (State memory s, bytes32 id,) = _enter(state, (1 << ELEMENT) | (1 << SLICE));
        _requireClaim(s.claimId, c);
        if (msg.sender != c.submitter) revert WrongPlayer();
        uint256 m = Partials.count(s.range, s.clock.arityLog2());
        if (!Partials.fit(partials, m)) revert BadPartials();
        int256 whole = Partials.combine(partials, m, s.place.reducer());
        if (int128(whole) != whole) revert BadPartials();
        bool slice = s.clock.kind() == SLICE;
        if (slice && whole != s.range.value()) revert BadPartials();
        s.node = keccak256(partials);
        s.clock = s.clock.to(slice ? SLICE_PARTIALS : ELEMENT_PARTIALS, 0);
        _leave(s, id);
        emit PartialsRevealed(id, s, partials);
    }

    /// @notice The challenger names a part of two or more terms.
    function selectPartial(State calldata state, uint256 part, bytes calldata partials) external {
        _exact(192 + 3 * 32 + _padded(partials.length));
        (State memory s, bytes32 id, ClaimWord word) =
            _enter(state, (1 << ELEMENT_PARTIALS) | (1 << SLICE_PARTIALS));
        _requireChallenger(s);
        (uint256 k0, uint256 k1, int256 value) = _part(s, part, partials);
        unchecked {
            if (k1 - k0 < 2) revert TooSmall();
        }
        s.node = 0;
        s.range = RangeLib.pack(value, k0, k1);
        s.clock = s.clock.to(SLICE, 0);
        _weigh(s, word, s.clock.weightSelect());
        _leave(s, id);
        emit Selected(id, s);
    }

    /// @dev Part `part` of the present range and its partial, out of the partials that were revealed.
    function _part(State memory s, uint256 part, bytes calldata partials)
        internal
        pure
        returns (uint256 k0, uint256 k1, int256 value)
    {
        if (keccak256(partials) != s.node) revert BadHash();
        uint256 m = Partials.count(s.range, s.clock.arityLog2());
        if (part >= m) revert BadPartials();
        (k0, k1) = Partials.part(s.range, m, part);
        value = Partials.get(partials, m, part);
    }

    /// @dev Type, number of elements and of terms of the value at a trace leaf, by its instruction.
    function _shape(
        State memory s,
        Claim calldata c,
        Parts calldata task,
        uint256 leaf,
        bytes calldata instruction,
        bytes calldata siblings
    ) internal view returns (uint256 dtype, uint256 elements, uint256 terms) {
        uint256 counts = _counts(s, c, task);
        uint256 N = counts >> 64;
        return verifier.shape(task.programRoot, counts, uint64(leaf / N), uint32(leaf % N), instruction, siblings);
    }

    /// @dev Refuses a claim or a task that are not the dispute's; gives N:32 | nConsts:32 | nInputs:32 of its model.
    function _counts(State memory s, Claim calldata c, Parts calldata task) internal view returns (uint256) {
        _requireClaim(s.claimId, c);
        Header header = _header(c.taskId);
        bytes32 modelRoot = modelRootOf(task.programRoot, task.constsRoot, header, task.inputsHash);
        bytes32 inputRoot = task.inputRoot;
        uint256 maxT = header.maxT();
        uint256 tier_ = header.tier();
        address requester = task.requester;
        bytes32 taskId;
        // taskIdOf the task of these fields
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, modelRoot)
            mstore(add(free, 0x20), inputRoot)
            mstore(add(free, 0x40), maxT)
            mstore(add(free, 0x60), tier_)
            mstore(add(free, 0x80), requester)
            taskId := keccak256(free, 0xa0)
        }
        if (taskId != c.taskId) revert WrongTask();
        return header.counts();
    }

    /// @dev The length of `length` bytes as an argument, without the word that tells it.
    function _padded(uint256 length) internal pure returns (uint256) {
        unchecked {
            return (length + 31) & ~uint256(31);
        }
    }

    function _children(State memory s, uint256 height) private pure returns (uint256, uint256, uint256) {
        return Tree.children(s.place.leaves(), height, s.place.index(), s.clock.arityLog2());
    }

    /// @dev The hash of the disputed tensor's leaf, with nothing behind its last element.
    function _checkLeaf(State memory s, bytes32[8] calldata data) private pure returns (bytes32) {
        Place p = s.place;
        if (!Tensor.padded(data, p.index(), p.dtype(), p.elements())) revert BadPadding();
        return Tensor.leafHash(data);
    }

    function _leafOf(bytes32[] calldata words) private pure returns (bytes32[8] calldata data) {
        assembly ("memory-safe") {
            data := words.offset
        }
    }
}
