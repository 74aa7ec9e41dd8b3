// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The trees of docs/SPEC.md §1 and §2.
/// @dev `width` is the number of nodes of a level that cover a real leaf: the number of leaves `n` at level 0, ⌈n / 2^l⌉ at level `l`.
/// A level with one such node is the root's. `cursor` is a place in calldata, from which siblings are taken, 32 bytes each; the callers
/// check at the end that all their data have been used up, so a cursor that runs past them only makes a proof fail.
///
/// Arithmetic is unchecked: indices and widths are below 2^96, levels below 2^8, and no caller adds to a memory or calldata place more than
/// the bytes that are there.
library Merkle {
    uint256 internal constant LEAF = 256;

    /// @notice ⌈log2 n⌉, 0 for n < 2.
    function depth(uint256 n) internal pure returns (uint256 levels) {
        unchecked {
            assembly {
                levels := mul(gt(n, 1), sub(256, clz(sub(n, 1))))
            }
        }
    }

    /// @notice Header hash of a tensor: H(dtype:u8 ‖ elements:u64 ‖ root).
    function header(uint256 dtype, uint256 elements, bytes32 root) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, or(shl(248, dtype), shl(184, elements)))
            mstore(0x09, root)
            hash := keccak256(0x00, 41)
        }
    }

    /// @notice Folds one known node upwards by `levels` levels or to the root, whichever comes first: a sub-tree proof.
    /// @param width of the node's own level.
    /// @return top the ancestor; its index is `index >> levels`.
    function climb(bytes32 hash, uint256 index, uint256 width, uint256 levels, uint256 cursor)
        internal
        pure
        returns (bytes32 top, uint256)
    {
        // node(l, i) = H(node(l−1, 2i) ‖ node(l−1, 2i+1)); a sibling at or past the width is 0 and is not sent
        assembly ("memory-safe") {
            for {} and(gt(width, 1), gt(levels, 0)) {} {
                let sibling := 0
                if lt(xor(index, 1), width) {
                    sibling := calldataload(cursor)
                    cursor := add(cursor, 0x20)
                }
                let side := shl(5, and(index, 1))
                mstore(side, hash)
                mstore(xor(side, 0x20), sibling)
                hash := keccak256(0x00, 0x40)
                index := shr(1, index)
                width := shr(1, add(width, 1))
                levels := sub(levels, 1)
            }
            top := hash
        }
        return (top, cursor);
    }

    /// @notice Folds one known leaf to the root: a multiproof of one leaf.
    /// @param index below `width`.
    function rise(bytes32 hash, uint256 index, uint256 width, uint256 cursor)
        internal
        pure
        returns (bytes32 root, uint256)
    {
        // Levels below the one above the highest bit in which `index` and the last index differ: the node is not the last of its level, so
        // its sibling covers a real leaf and is sent. From there on it is the last one, and has a sibling only if it is a right child.
        assembly ("memory-safe") {
            let last := sub(width, 1)
            let level := sub(256, clz(xor(index, last)))
            let path := shl(5, index) // bit 5: which child the node is, times 32
            for { let end := add(cursor, shl(5, level)) } lt(cursor, end) { cursor := add(cursor, 0x20) } {
                let side := and(path, 0x20)
                mstore(side, hash)
                mstore(xor(side, 0x20), calldataload(cursor))
                hash := keccak256(0x00, 0x40)
                path := shr(1, path)
            }
            for { last := shr(level, last) } last { last := shr(1, last) } {
                switch and(last, 1)
                case 0 {
                    mstore(0x00, hash)
                    mstore(0x20, 0)
                }
                default {
                    mstore(0x00, calldataload(cursor))
                    mstore(0x20, hash)
                    cursor := add(cursor, 0x20)
                }
                hash := keccak256(0x00, 0x40)
            }
            root := hash
        }
        return (root, cursor);
    }

    /// @notice Folds several known leaves to the root: a multiproof.
    /// @param list place in memory of `count` ≥ 2 pairs (index, hash), indices strictly ascending and below `width`; it is overwritten.
    function fold(uint256 list, uint256 count, uint256 width, uint256 cursor)
        internal
        pure
        returns (bytes32 root, uint256)
    {
        // Level by level, in place, until two are left: each known node is paired with its sibling, known as the next of the list, sent, or
        // 0. The node count never grows, so writes stay behind reads, and at most halves, so it does not leap over two.
        assembly ("memory-safe") {
            for {} gt(count, 2) {} {
                let read := list
                let write := list
                let end := add(list, shl(6, count))
                for {} lt(read, end) {} {
                    let index := mload(read)
                    let side := shl(5, and(index, 1))
                    mstore(side, mload(add(read, 0x20)))
                    read := add(read, 0x40)
                    let sibling := 0
                    switch and(lt(read, end), eq(mload(read), xor(index, 1)))
                    case 1 {
                        sibling := mload(add(read, 0x20))
                        read := add(read, 0x40)
                    }
                    default {
                        if lt(xor(index, 1), width) {
                            sibling := calldataload(cursor)
                            cursor := add(cursor, 0x20)
                        }
                    }
                    mstore(xor(side, 0x20), sibling)
                    mstore(write, shr(1, index))
                    mstore(add(write, 0x20), keccak256(0x00, 0x40))
                    write := add(write, 0x40)
                }
                count := shr(6, sub(write, list))
                width := shr(1, add(width, 1))
            }
        }
        return _meet(list, width, cursor);
    }

    /// @notice Folds the leftmost `count` nodes of a level upwards by `levels` levels; all others of the level are 0.
    /// @param row place in memory of their hashes, 32 bytes each; it is overwritten. `count` ≥ 1.
    /// @return top the leftmost node `levels` levels up; with `levels` ≥ depth(count) it covers the whole row.
    function foldRow(uint256 row, uint256 count, uint256 levels) internal pure returns (bytes32 top) {
        // A node past the width stays 0: it is never computed. An odd last node is paired with 0.
        assembly ("memory-safe") {
            for {} levels { levels := sub(levels, 1) } {
                let odd := and(count, 1)
                let write := row
                let end := add(row, shl(5, sub(count, odd)))
                for { let read := row } lt(read, end) { read := add(read, 0x40) } {
                    mstore(write, keccak256(read, 0x40))
                    write := add(write, 0x20)
                }
                if odd {
                    mstore(0x00, mload(end))
                    mstore(0x20, 0)
                    mstore(write, keccak256(0x00, 0x40))
                }
                count := shr(1, add(count, 1))
            }
            top := mload(row)
        }
    }

    /// @notice `foldRow` of hashes in calldata.
    function foldHashes(bytes32[] calldata hashes, uint256 levels) internal pure returns (bytes32) {
        uint256 row;
        assembly ("memory-safe") {
            row := mload(0x40)
            calldatacopy(row, hashes.offset, shl(5, hashes.length))
            mstore(0x40, add(row, shl(5, hashes.length)))
        }
        return foldRow(row, hashes.length, levels);
    }

    /// @notice Tensor root of bytes: leaves of 256 bytes, the last filled with zeros; 0 for none.
    function tensorRoot(bytes calldata data) internal pure returns (bytes32) {
        unchecked {
            uint256 count = (data.length + LEAF - 1) / LEAF;
            if (count == 0) return 0;
            uint256 row;
            assembly ("memory-safe") {
                row := mload(0x40)
                // One leaf at a time in a buffer behind the row of hashes; copying past the data's end would bring foreign calldata.
                let buffer := add(row, shl(5, count))
                mstore(0x40, add(buffer, 0x100))
                let left := data.length
                let from := data.offset
                for { let write := row } left { write := add(write, 0x20) } {
                    let size := left
                    switch gt(left, 0xff)
                    case 1 { size := 0x100 }
                    default { calldatacopy(buffer, calldatasize(), 0x100) }
                    calldatacopy(buffer, from, size)
                    mstore(write, keccak256(buffer, 0x100))
                    from := add(from, size)
                    left := sub(left, size)
                }
            }
            return foldRow(row, count, depth(count));
        }
    }

    /// @dev `fold` of two nodes: they rise side by side until they are siblings, then as one.
    function _meet(uint256 list, uint256 width, uint256 cursor) private pure returns (bytes32, uint256) {
        uint256 index;
        bytes32 hash;
        // The left node's sibling stands to the left of the right node: it covers a real leaf and is sent.
        assembly ("memory-safe") {
            index := mload(list)
            let left := mload(add(list, 0x20))
            let other := mload(add(list, 0x40))
            let right := mload(add(list, 0x60))
            for {} gt(xor(index, other), 1) {} {
                let side := shl(5, and(index, 1))
                mstore(side, left)
                mstore(xor(side, 0x20), calldataload(cursor))
                left := keccak256(0x00, 0x40)
                cursor := add(cursor, 0x20)
                side := shl(5, and(other, 1))
                mstore(side, right)
                let sibling := 0
                if lt(xor(other, 1), width) {
                    sibling := calldataload(cursor)
                    cursor := add(cursor, 0x20)
                }
                mstore(xor(side, 0x20), sibling)
                right := keccak256(0x00, 0x40)
                index := shr(1, index)
                other := shr(1, other)
                width := shr(1, add(width, 1))
            }
            mstore(0x00, left)
            mstore(0x20, right)
            hash := keccak256(0x00, 0x40)
            index := shr(1, index)
            width := shr(1, add(width, 1))
        }
        return rise(hash, index, width, cursor);
    }
}
