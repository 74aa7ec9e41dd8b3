// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {Bank} from "./Bank.sol";
import {ClaimWord, FINAL, OPENED, PENDING} from "./ClaimWord.sol";
import "./Errors.sol";
import {Header} from "./Registry.sol";
import {Tensor} from "./Tensor.sol";
import {Tiers, Times} from "./Tiers.sol";
import {Tree} from "./Tree.sol";
import {Claim, NO_HALT, Opening, TraceOpening} from "./Types.sol";

/// @dev What claims made one by one and claims of a batch have in common: the opening of their traces, and their names. Where their slots and
/// their bonds are is for `Singles` and `Batches` to say.
abstract contract Claims is Tiers, Bank {
    event TraceOpened(bytes32 indexed claimId, bytes32 traceRoot, bytes32[] children);
    event Finalized(bytes32 indexed claimId);

    mapping(bytes32 claimId => bytes32) internal traceRoots;

    /// @notice Opens the trace of a claim (SPEC §7.3). Only the submitter, once; the clock for it runs from the first challenge.
    function openTrace(Claim calldata c, bytes calldata output, TraceOpening calldata opening) external {
        bytes32 id = claimIdOf(c);
        ClaimWord word = _pending(id);
        Header header = _header(c.taskId);
        if (msg.sender != c.submitter) revert WrongPlayer();
        if (word.stage() == OPENED) revert TraceIsOpen();
        if (word.traceLate(_times(word.tier()))) revert TraceIsLate();
        if (keccak256(output) != c.outputHash) revert WrongOutput();
        _openTrace(id, word, header, c.T, output, opening);
    }

    /// @notice A claim's name. It holds the chain and this contract, so no claim is worth anything elsewhere.
    function claimIdOf(Claim memory c) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), c));
    }

    /// @notice A claim's slot, 0 if there is no such claim.
    function claimOf(bytes32 claimId) external view returns (ClaimWord) {
        return _read(claimId);
    }

    /// @notice The root of a claim's trace, 0 until it is open.
    function traceRootOf(bytes32 claimId) external view returns (bytes32) {
        return traceRoots[claimId];
    }

    /// @notice Whether the claim is final with this outcome: the answer that consumers may use.
    function isFinal(bytes32 claimId) external view returns (bool) {
        return _read(claimId).status() == FINAL;
    }

    /// @notice Whether consumers may rely on the trace root too: it was open long enough to be challenged.
    function isRootAuthoritative(bytes32 claimId) external view returns (bool) {
        ClaimWord word = _read(claimId);
        Times times = _times(word.tier());
        if (word.status() != FINAL || word.stage() != OPENED) return false;
        return word.stageAt() + times.rootWindow() <= word.claimedAt() + times.window();
    }

    /// @dev The slot of a claim, 0 if there is none.
    function _read(bytes32 id) internal view virtual returns (ClaimWord);

    /// @dev Changes the slot of a claim.
    function _write(bytes32 id, ClaimWord word) internal virtual;

    /// @dev The header of a task, 0 if it is not open.
    function _header(bytes32 taskId) internal view virtual returns (Header);

    /// @dev The submitter's bond behind a claim that is not PENDING.
    function _bondS(ClaimWord word) internal view virtual returns (uint256);

    /// @dev One open dispute of a PENDING claim less, already taken off `word`: whether none is left.
    function _leftAlone(bytes32 id, ClaimWord word) internal virtual returns (bool);

    /// @dev The slot of a claim, which must be PENDING.
    function _pending(bytes32 id) internal view returns (ClaimWord word) {
        word = _read(id);
        if (word.status() != PENDING) revert ClaimNotPending();
    }

    /// @dev Refuses a claim that is not the one of this id.
    function _requireClaim(bytes32 id, Claim calldata c) internal view {
        bytes32 found;
        // claimIdOf(c). The words are hashed as they came: a number with bits beyond its type names no claim.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), address())
            calldatacopy(add(free, 0x40), c, 0xa0)
            found := keccak256(free, 0xe0)
        }
        if (found != id) revert WrongClaim();
    }

    /// @dev Whether now < t0 + W.
    function _windowOpen(ClaimWord word) internal view returns (bool) {
        unchecked {
            return block.timestamp < word.claimedAt() + _times(word.tier()).window();
        }
    }

    /// @dev The part of a submitter's lost bond that its challengers share; all else is burnt.
    function _pot(uint256 bond, uint256 tier) internal view returns (uint256) {
        unchecked {
            return bond - bond * _times(tier).burnS() / 10_000;
        }
    }

    /// @dev Refuses a length that no run of the task can have.
    function _requireLength(Header header, uint256 T) internal pure {
        if (T == 0 || T > header.maxT() || (header.halt() == NO_HALT && T != header.maxT())) revert BadLength();
    }

    function _openTrace(
        bytes32 id,
        ClaimWord word,
        Header header,
        uint256 T,
        bytes calldata output,
        TraceOpening calldata o
    ) internal {
        uint256 leaves = word.leaves();
        uint256 height = Merkle.depth(leaves);
        (uint256 levels,, uint256 count) = Tree.children(leaves, height, 0, _bonds(word.tier()).arityLog2());
        if (o.children.length != count) revert BadChild();
        unchecked {
            uint256 below = height - levels;
            uint256 last = (T - 1) * header.N();
            _checkChild(o.children, _outputHeader(o.dtype, output), leaves, last + header.out(), below, o.path);
            if (T < header.maxT()) {
                if (o.halt.length != 1) revert NoHalt();
                Opening calldata h = o.halt[0];
                if (h.e != 0 || _element(h) == 0) revert NoHalt();
                _checkChild(o.children, _headerHash(h), leaves, last + header.halt(), below, h.tracePath);
            } else if (o.halt.length != 0) {
                revert NoHalt();
            }
        }
        bytes32 root = Merkle.foldHashes(o.children, levels);
        _write(id, word.enters(OPENED));
        traceRoots[id] = root;
        emit TraceOpened(id, root, o.children);
    }

    /// @dev The header hash of the output's tensor; its number of elements follows from its length.
    function _outputHeader(uint256 dtype, bytes calldata output) private pure returns (bytes32) {
        if (dtype > Tensor.MAX_DTYPE) revert BadHeader();
        uint256 log2 = Tensor.sizeLog2(dtype);
        uint256 elements = output.length >> log2;
        if (elements << log2 != output.length) revert BadHeader();
        return Merkle.header(dtype, elements, Merkle.tensorRoot(output));
    }

    /// @dev Refuses a header hash that is not at this trace leaf, below the revealed child that covers it.
    function _checkChild(
        bytes32[] calldata children,
        bytes32 hash,
        uint256 leaves,
        uint256 leaf,
        uint256 below,
        bytes32[] calldata path
    ) private pure {
        if (Tree.climb(hash, leaves, 0, leaf, below, path) != children[leaf >> below]) revert BadHash();
    }

    /// @dev The element that an opening shows.
    function _element(Opening calldata o) internal pure returns (int256) {
        Tensor.requireLimits(o.dtype, o.elements);
        if (o.e >= o.elements) revert BadElement();
        return Tensor.element(o.data, o.dtype, o.e);
    }

    /// @dev The header hash that an opening shows, of a tensor that has element `e`.
    function _headerHash(Opening calldata o) internal pure returns (bytes32) {
        uint256 leaves = Tensor.leaves(o.dtype, o.elements);
        uint256 leaf = Tensor.leafOf(o.dtype, o.e);
        bytes32 root = Tree.climb(Tensor.leafHash(o.data), leaves, 0, leaf, Merkle.depth(leaves), o.tensorPath);
        return Merkle.header(o.dtype, o.elements, root);
    }
}
