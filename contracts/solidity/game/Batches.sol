// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {IClaims} from "./IClaims.sol";
import {Board} from "./Board.sol";
import {ClaimWord, ClaimWordLib, FALSE, FINAL, PENDING} from "./ClaimWord.sol";
import "./Errors.sol";
import {Header} from "./Registry.sol";
import {Bonds, Times} from "./Tiers.sol";
import {Tree} from "./Tree.sol";
import {Claim} from "./Types.sol";

/// @dev What one leaf of a batch says: a task's run has length `T` and an output of this hash.
struct Entry {
    bytes32 taskId;
    uint64 T;
    bytes32 outputHash;
}

/// @dev A batch, by value. A submitter uses a nonce once, so no two of its batches share a claim's name.
struct Batch {
    bytes32 root; // of the tree over H(0x0b ‖ taskId ‖ T ‖ outputHash), each 32 bytes (SPEC §2, §8.8)
    address submitter;
    uint48 nonce;
}

/// @dev Claims that come many at once, under one bond and in one slot. Leaf `j` of a batch is the claim of its submitter with the nonce
/// `nonce · 2^16 + j`; it gets a slot of its own when it is challenged first, and is disputed like any other. One that falls fells all.
abstract contract Batches is Board {
    event BatchClaimed(bytes32 indexed batchId, address indexed submitter, Batch batch, Entry[] entries);
    event Entered(bytes32 indexed claimId, bytes32 indexed batchId, Claim claim);

    /// @dev A leaf's slots.
    struct Leaf {
        bytes32 batchId;
        // As a claim's: the stage, its time and block, the trace's leaves, the leaf's own open disputes; all else is the batch's.
        ClaimWord word;
    }

    /// @dev The bits of a claim's word that are a leaf's own: stage, leaves, stageAt and stageBlock.
    uint256 private constant OWN = (0xf << 248) | (((1 << 40) - 1) << 120) | ((1 << 80) - 1);
    /// @dev Where a batch's own word has the number of its leaves, less one.
    uint256 private constant COUNT = ((1 << 40) - 1) << 120;
    /// @dev A leaf's number has 16 bits.
    uint256 private constant MOST = 1 << 16;

    /// @notice Where models and tasks are registered; the tiers are the same.
    IClaims public immutable registry;
    /// @notice Most leaves of a batch.
    uint256 public immutable maxLeaves;
    /// @notice The part of B_s that each leaf's value asks for, in 1/10,000: the bond of `m` leaves is the greater of B_s and m times this.
    uint256 public immutable leafShare;

    mapping(bytes32 batchId => ClaimWord) private batches;
    mapping(bytes32 claimId => Leaf) private leaves;
    mapping(address submitter => mapping(uint256 word => uint256)) private used;

    constructor(IClaims registry_, uint256 maxLeaves_, uint256 leafShare_) {
        if (maxLeaves_ == 0 || maxLeaves_ > MOST || leafShare_ == 0 || leafShare_ > 10_000) revert BadTier();
        (registry, maxLeaves, leafShare) = (registry_, maxLeaves_, leafShare_);
    }

    /// @notice Claims all of `entries`, whose tasks are open and of this tier. The value is the bond of so many leaves.
    function claimBatch(uint8 tier_, uint48 nonce, Entry[] calldata entries) external payable returns (bytes32 id) {
        uint256 count = entries.length;
        _requireTier(tier_);
        if (count == 0 || count > maxLeaves) revert BadLength();
        if (msg.value != _bondOf(tier_, count)) revert BadValue();
        _use(nonce);
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 j = 0; j < count; ++j) {
            Entry calldata e = entries[j];
            Header header = registry.taskOf(e.taskId);
            if (header.N() == 0) revert UnknownTask();
            if (header.tier() != tier_) revert UnknownTier();
            _requireLength(header, e.T);
            hashes[j] = _leafHash(e);
        }
        Batch memory b = Batch(Tree.root(hashes), msg.sender, nonce);
        id = batchIdOf(b);
        batches[id] = ClaimWordLib.pack(tier_, count);
        emit BatchClaimed(id, msg.sender, b, entries);
    }

    /// @notice Opens a dispute of the sender's own against leaf `j` of a pending batch. `path` is its siblings up to the root.
    function challenge(Batch calldata b, uint256 j, Entry calldata e, bytes32[] calldata path, uint16 nonce)
        external
        payable
        returns (bytes32)
    {
        bytes32 id = batchIdOf(b);
        (bytes32 claimId, Claim memory c) = _leafOf(b, id, j, e, path);
        if (batches[id].status() != PENDING) revert ClaimNotPending();
        Leaf storage leaf = leaves[claimId];
        if (leaf.batchId == 0) {
            uint256 size = e.T * _header(e.taskId).N();
            (leaf.batchId, leaf.word) = (id, ClaimWord.wrap((size - 1) << 120));
            emit Entered(claimId, id, c);
        }
        leaf.word = leaf.word.opened(0);
        return _challenge(claimId, _read(claimId), nonce);
    }

    /// @notice Ends a batch of which nobody disputes anything any more; the submitter's bond is credited.
    function finalize(Batch calldata b) external {
        bytes32 id = batchIdOf(b);
        ClaimWord word = batches[id];
        if (word.status() != PENDING) revert ClaimNotPending();
        if (_windowOpen(word)) revert WindowOpen();
        if (word.open() != 0) revert DisputesOpen();
        batches[id] = word.becomes(FINAL);
        _credit(b.submitter, _bondOf(word.tier(), word.leaves()));
        emit Finalized(id);
    }

    /// @notice Makes leaf `j` of a final batch known by its claim's name, for `isFinal`. Anybody may, at any time and again.
    function consume(Batch calldata b, uint256 j, Entry calldata e, bytes32[] calldata path) external returns (bytes32 claimId) {
        bytes32 id = batchIdOf(b);
        Claim memory c;
        (claimId, c) = _leafOf(b, id, j, e, path);
        if (batches[id].status() != FINAL) revert ClaimNotFinal();
        if (leaves[claimId].batchId != 0) return claimId;
        leaves[claimId].batchId = id;
        emit Entered(claimId, id, c);
    }

    /// @notice Whether leaf `j` of a batch is final, for consumers that keep the answer themselves.
    function isFinalLeaf(Batch calldata b, uint256 j, Entry calldata e, bytes32[] calldata path) external view returns (bool) {
        bytes32 id = batchIdOf(b);
        _leafOf(b, id, j, e, path);
        return batches[id].status() == FINAL;
    }

    /// @notice A batch's name.
    function batchIdOf(Batch memory b) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), b));
    }

    /// @notice A batch's slot, 0 if there is none: as a claim's, with its leaves in place of a trace's.
    function batchOf(bytes32 batchId) external view returns (ClaimWord) {
        return batches[batchId];
    }

    /// @notice The batch that a claim is a leaf of, 0 while it was neither challenged nor consumed.
    function batchOfClaim(bytes32 claimId) external view returns (bytes32) {
        return leaves[claimId].batchId;
    }

    /// @notice The bond behind a batch.
    function bondOf(uint256 tier_, uint256 count) external view returns (uint256) {
        return _bondOf(tier_, count);
    }

    function _read(bytes32 id) internal view override returns (ClaimWord) {
        Leaf storage leaf = leaves[id];
        uint256 word = ClaimWord.unwrap(batches[leaf.batchId]);
        uint256 own = ClaimWord.unwrap(leaf.word) & OWN;
        if (ClaimWord.wrap(word).status() == FALSE) return ClaimWord.wrap(word);
        return ClaimWord.wrap((word & ~OWN) | own);
    }

    function _write(bytes32 id, ClaimWord word_) internal override {
        Leaf storage leaf = leaves[id];
        uint256 word = ClaimWord.unwrap(word_);
        uint256 old = ClaimWord.unwrap(batches[leaf.batchId]);
        if (word_.status() == PENDING) {
            leaf.word = ClaimWord.wrap((ClaimWord.unwrap(leaf.word) & ~OWN) | (word & OWN));
            batches[leaf.batchId] = ClaimWord.wrap((word & ~OWN) | (old & OWN));
        } else {
            batches[leaf.batchId] = ClaimWord.wrap((word & ~COUNT) | (old & COUNT));
        }
    }

    function _header(bytes32 taskId) internal view override returns (Header) {
        return registry.taskOf(taskId);
    }

    function _bondS(ClaimWord word) internal view override returns (uint256) {
        return _bondOf(word.tier(), word.leaves());
    }

    function _leftAlone(bytes32 id, ClaimWord) internal override returns (bool) {
        ClaimWord word = leaves[id].word.closed();
        leaves[id].word = word;
        return word.open() == 0;
    }

    /// @dev The claim that is leaf `j` of a batch.
    function _leafOf(Batch calldata b, bytes32 id, uint256 j, Entry calldata e, bytes32[] calldata path)
        private
        view
        returns (bytes32 claimId, Claim memory c)
    {
        ClaimWord word = batches[id];
        uint256 count = word.leaves();
        if (ClaimWord.unwrap(word) == 0) revert WrongBatch();
        if (j >= count) revert BadChild();
        if (Tree.climb(_leafHash(e), count, 0, j, Merkle.depth(count), path) != b.root) revert BadHash();
        c = Claim(e.taskId, e.T, e.outputHash, b.submitter, (uint64(b.nonce) << 16) | uint64(j));
        claimId = claimIdOf(c);
    }

    /// @dev Marks a nonce of the sender's as used.
    function _use(uint256 nonce) private {
        uint256 bit = 1 << (nonce & 0xff);
        uint256 word = used[msg.sender][nonce >> 8];
        if (word & bit != 0) revert IdUsed();
        used[msg.sender][nonce >> 8] = word | bit;
    }

    /// @dev Refuses a tier that is not the registry's of this number: tasks name their tiers by number.
    function _requireSame(uint256 tier_) internal view {
        (Times times, Bonds bonds) = registry.tier(tier_);
        if (Times.unwrap(times) != Times.unwrap(_times(tier_))) revert BadTier();
        if (Bonds.unwrap(bonds) != Bonds.unwrap(_bonds(tier_))) revert BadTier();
    }

    function _bondOf(uint256 tier_, uint256 count) private view returns (uint256) {
        uint256 bond = _bonds(tier_).bondS();
        uint256 value = bond * leafShare * count / 10_000;
        return value > bond ? value : bond;
    }

    function _leafHash(Entry calldata e) private pure returns (bytes32 hash) {
        // keccak256(abi.encodePacked(uint8(0x0b), abi.encode(e)))
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0x0b)
            calldatacopy(add(free, 1), e, 0x60)
            hash := keccak256(free, 0x61)
        }
    }
}
