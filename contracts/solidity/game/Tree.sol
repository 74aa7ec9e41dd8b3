// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BadHash} from "./Errors.sol";

/// @dev Binary trees over `n` leaf hashes (SPEC §2). Nodes that cover no real leaf are 0 and never sent.
library Tree {
    /// @dev ⌈log2 n⌉, and 0 for no leaves.
    function depth(uint256 n) internal pure returns (uint256 d) {
        if (n == 0) return 0;
        assembly ("memory-safe") {
            d := sub(256, clz(sub(n, 1)))
        }
    }

    /// @dev One step down from a real node: the levels descended, the index of its first child, and the number of its real children.
    function children(uint256 n, uint256 height, uint256 index, uint256 arityLog2)
        internal
        pure
        returns (uint256 levels, uint256 first, uint256 count)
    {
        unchecked {
            levels = arityLog2 < height ? arityLog2 : height;
            first = index << levels;
            uint256 below = height - levels;
            count = ((n + (1 << below) - 1) >> below) - first; // real nodes at the children's level, from the first one on
            if (count > 1 << levels) count = 1 << levels;
        }
    }

    /// @dev The node `levels` above consecutive nodes of which the first is its leftmost descendant and the last the last real one.
    function fold(bytes32[] calldata nodes, uint256 levels) internal pure returns (bytes32) {
        uint256 ptr;
        assembly ("memory-safe") {
            ptr := mload(0x40)
            calldatacopy(ptr, nodes.offset, shl(5, nodes.length))
        }
        return _fold(ptr, nodes.length, levels);
    }

    /// @dev The root of the tree over these leaf hashes, which are overwritten.
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        uint256 ptr;
        assembly ("memory-safe") {
            ptr := add(leaves, 32)
        }
        return leaves.length == 0 ? bytes32(0) : _fold(ptr, leaves.length, depth(leaves.length));
    }

    /// @dev The node `levels` above node (`level`, `index`) by a sub-tree proof; refuses siblings too few or too many.
    function climb(
        bytes32 hash,
        uint256 n,
        uint256 level,
        uint256 index,
        uint256 levels,
        bytes32[] calldata siblings
    ) internal pure returns (bytes32) {
        uint256 used;
        unchecked {
            for (uint256 top = level + levels; level < top; ++level) {
                bytes32 sibling;
                if ((index ^ 1) << level < n) {
                    if (used == siblings.length) revert BadHash();
                    sibling = siblings[used++];
                }
                hash = index & 1 == 0 ? _pair(hash, sibling) : _pair(sibling, hash);
                index >>= 1;
            }
        }
        if (used != siblings.length) revert BadHash();
        return hash;
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0, left)
            mstore(32, right)
            hash := keccak256(0, 64)
        }
    }

    /// @dev Folds `count ≥ 1` words at `ptr` in place: plainly, `levels` times, node j = H(node 2j ‖ node 2j+1 or 0).
    function _fold(uint256 ptr, uint256 count, uint256 levels) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            for {} levels { levels := sub(levels, 1) } {
                if and(count, 1) {
                    let last := add(ptr, shl(5, sub(count, 1)))
                    mstore(0, mload(last))
                    mstore(32, 0)
                    mstore(last, keccak256(0, 64))
                }
                let half := shr(1, count)
                for { let j := 0 } lt(j, half) { j := add(j, 1) } {
                    mstore(add(ptr, shl(5, j)), keccak256(add(ptr, shl(6, j)), 64))
                }
                if and(count, 1) { mstore(add(ptr, shl(5, half)), mload(add(ptr, shl(6, half)))) }
                count := shr(1, add(count, 1))
            }
            hash := mload(ptr)
        }
    }
}
