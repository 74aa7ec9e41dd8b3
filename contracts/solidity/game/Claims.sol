// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {Bank} from "./Bank.sol";
import {AWAITED, ClaimWord, ClaimWordLib, FINAL, OPENED, PENDING} from "./ClaimWord.sol";
import "./Errors.sol";
import {Header, Registry} from "./Registry.sol";
import {Tensor} from "./Tensor.sol";
import {Times} from "./Tiers.sol";
import {Tree} from "./Tree.sol";
import {Claim, NO_HALT, Opening, TraceOpening} from "./Types.sol";

/// @dev Claims: their bonds, the opening of their traces, and their end.
abstract contract Claims is Registry, Bank {
    event Claimed(bytes32 indexed claimId, bytes32 indexed taskId, address indexed submitter, Claim claim, bytes output);
    event TraceOpened(bytes32 indexed claimId, bytes32 traceRoot, bytes32[] children);
    event Finalized(bytes32 indexed claimId);

    mapping(bytes32 claimId => ClaimWord) internal claims;
    mapping(bytes32 claimId => bytes32) internal traceRoots;

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

    /// @notice Opens the trace of a challenged claim (SPEC §7.3). Only the submitter, once.
    function openTrace(Claim calldata c, bytes calldata output, TraceOpening calldata opening) external {
        bytes32 id = claimIdOf(c);
        ClaimWord word = _pending(id);
        Header header = tasks[c.taskId];
        if (msg.sender != c.submitter) revert WrongPlayer();
        if (word.stage() != AWAITED) revert TraceNotAwaited();
        if (word.traceLate(_times(word.tier()))) revert TraceIsLate();
        if (keccak256(output) != c.outputHash) revert WrongOutput();
        _openTrace(id, word, header, c.T, output, opening);
    }

    /// @notice Ends a claim that nobody disputes any more; the submitter's bond is credited.
    function finalize(Claim calldata c) external {
        bytes32 id = claimIdOf(c);
        ClaimWord word = _pending(id);
        if (_windowOpen(word)) revert WindowOpen();
        if (word.open() != 0) revert DisputesOpen();
        claims[id] = word.becomes(FINAL);
        _credit(c.submitter, _bonds(word.tier()).bondS());
        emit Finalized(id);
    }

    /// @notice A claim's name. It holds the chain and this contract, so no claim is worth anything elsewhere.
    function claimIdOf(Claim memory c) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), c));
    }

    /// @notice A claim's slot, 0 if there is no such claim.
    function claimOf(bytes32 claimId) external view returns (ClaimWord) {
        return claims[claimId];
    }

    /// @notice The root of a claim's trace, 0 until it is open.
    function traceRootOf(bytes32 claimId) external view returns (bytes32) {
        return traceRoots[claimId];
    }

    /// @notice Whether the claim is final with this outcome: the answer that consumers may use.
    function isFinal(bytes32 claimId) external view returns (bool) {
        return claims[claimId].status() == FINAL;
    }

    /// @notice Whether consumers may rely on the trace root too: it was open long enough to be challenged.
    function isRootAuthoritative(bytes32 claimId) external view returns (bool) {
        ClaimWord word = claims[claimId];
        Times times = _times(word.tier());
        if (word.status() != FINAL || word.stage() != OPENED) return false;
        return word.stageAt() + times.rootWindow() <= word.claimedAt() + times.window();
    }

    /// @dev The slot of a claim, which must be PENDING.
    function _pending(bytes32 id) internal view returns (ClaimWord word) {
        word = claims[id];
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
    function _pot(uint256 tier) internal view returns (uint256) {
        unchecked {
            uint256 bond = _bonds(tier).bondS();
            return bond - bond * _times(tier).burnS() / 10_000;
        }
    }

    function _claim(bytes32 taskId, uint64 T, uint64 nonce, bytes calldata output)
        private
        returns (bytes32 id, ClaimWord word, Header header)
    {
        header = _task(taskId);
        if (T == 0 || T > header.maxT() || (header.halt() == NO_HALT && T != header.maxT())) revert BadLength();
        if (msg.value != _bonds(header.tier()).bondS()) revert BadValue();
        Claim memory c = Claim(taskId, T, keccak256(output), msg.sender, nonce);
        id = claimIdOf(c);
        if (ClaimWord.unwrap(claims[id]) != 0) revert IdUsed();
        word = ClaimWordLib.pack(header.tier(), T * header.N());
        claims[id] = word;
        emit Claimed(id, taskId, msg.sender, c, output);
    }

    function _openTrace(
        bytes32 id,
        ClaimWord word,
        Header header,
        uint256 T,
        bytes calldata output,
        TraceOpening calldata o
    ) private {
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
        claims[id] = word.enters(OPENED);
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
