// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {BadHash} from "./Errors.sol";

/// @dev Steps down a tree over `n` leaf hashes, and proofs up (SPEC §2, §7). Nodes that cover no real leaf are 0 and never sent.
library Tree {
    /// @dev One step down from a real node: the levels descended, the index of its first child, and the number of its real children.
    function children(uint256 n, uint256 height, uint256 index, uint256 arityLog2)
        internal
        pure
        returns (uint256 levels, uint256 first, uint256 count)
    {
        unchecked {
            levels = arityLog2 < height ? arityLog2 : height;
            first = index << levels;
            count = _width(n, height - levels) - first; // real nodes of the children's level, from the first one on
            if (count > 1 << levels) count = 1 << levels;
        }
    }

    /// @dev The node `levels` above the real node (`level`, `index`) by a sub-tree proof, of exactly these siblings.
    function climb(
        bytes32 hash,
        uint256 n,
        uint256 level,
        uint256 index,
        uint256 levels,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32 top) {
        uint256 cursor;
        uint256 end;
        assembly ("memory-safe") {
            cursor := siblings.offset
            end := add(cursor, shl(5, siblings.length))
        }
        (top, cursor) = Merkle.climb(hash, index, _width(n, level), levels, cursor);
        if (cursor != end) revert BadHash();
    }

    /// @dev The root over leaf hashes in memory, which are overwritten.
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        if (leaves.length == 0) return 0;
        uint256 row;
        assembly ("memory-safe") {
            row := add(leaves, 32)
        }
        return Merkle.foldRow(row, leaves.length, Merkle.depth(leaves.length));
    }

    /// @dev Nodes of a level that cover a real leaf.
    function _width(uint256 n, uint256 level) private pure returns (uint256) {
        unchecked {
            return (n + (1 << level) - 1) >> level;
        }
    }
}
