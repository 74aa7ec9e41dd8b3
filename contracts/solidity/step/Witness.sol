// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import "./Errors.sol";
import "./Isa.sol";

/// @title Opened tensors: docs/SPEC.md §6.2.
/// @dev An opened tensor is a record in memory of 32-byte words, and the records of a table are a list:
///
///     0 next record, 0 at the end     1 index in the table     2 dtype     3 elements, 0 if the header is one that no tensor can have
///     4 place after the windows       5 window to try first    6 … windows: first element, end element, place in calldata of the first
///
/// A window is a run of adjacent opened leaves, so its bytes are adjacent in calldata. Record places are below 2^32, element numbers below
/// 2^41 (2^40 and the rest of the last leaf); nothing here overflows.
library Witness {
    uint256 internal constant WINDOWS = 0xc0;
    uint256 internal constant WINDOW = 0x60;
    /// A byte for each dtype, the lowest for 0: log2 of the elements of a leaf.
    uint256 private constant LEAF_SHIFTS = 0x090506070808;

    /// @notice Verifies the siblings of leaf `i` in the program tree against `programRoot`.
    /// @return cursor after the siblings.
    function instruction(bytes calldata encoding, uint256 i, uint256 width, bytes32 programRoot, uint256 cursor)
        internal
        pure
        returns (uint256)
    {
        bytes32 hash;
        // H(0x01 ‖ encoding), in unclaimed memory
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore8(buffer, 1)
            calldatacopy(add(buffer, 1), encoding.offset, encoding.length)
            hash := keccak256(buffer, add(encoding.length, 1))
        }
        (hash, cursor) = Merkle.rise(hash, i, width, cursor);
        if (hash != programRoot) revert WrongInstruction();
        return cursor;
    }

    /// @notice Verifies one table of `width` leaves against its root.
    /// @param table its number, for the errors.
    /// @return head the first record, 0 if the table is empty.
    /// @return cursor after the table.
    function open(uint256 table, bytes32 root, uint256 width, uint256 cursor) internal pure returns (uint256 head, uint256) {
        unchecked {
            uint256 count;
            assembly {
                count := shr(248, calldataload(cursor))
                cursor := add(cursor, 1)
            }
            if (count == 0) return (0, cursor);
            uint256 hashes; // pairs (index, hash), if there are several
            assembly ("memory-safe") {
                hashes := mload(0x40)
                mstore(0x40, add(hashes, mul(shl(6, count), gt(count, 1))))
            }
            bytes32 hash;
            uint256 index;
            uint256 last;
            uint256 least;
            for (uint256 pair = hashes;; pair += 64) {
                uint256 record;
                (record, index, hash, cursor) = _tensor(table, cursor);
                // ascending, and below the width
                if (index < least || index >= width) revert WrongTable(table);
                least = index + 1;
                if (head == 0) {
                    head = record;
                    if (count == 1) break;
                }
                assembly ("memory-safe") {
                    if last { mstore(last, record) }
                    mstore(pair, index)
                    mstore(add(pair, 0x20), hash)
                }
                last = record;
                if (pair == hashes + 64 * (count - 1)) break;
            }
            (hash, cursor) = count == 1
                ? Merkle.rise(hash, index, width, cursor)
                : Merkle.fold(hashes, count, width, cursor);
            if (hash != root) revert WrongTable(table);
            return (head, cursor);
        }
    }

    /// @notice The record with this index in a list.
    function find(uint256 head, uint256 table, uint256 index) internal pure returns (uint256 record) {
        assembly ("memory-safe") {
            record := head
            for {} record { record := mload(record) } { if eq(mload(add(record, 0x20)), index) { break } }
        }
        if (record == 0) revert MissingTensor(table, index);
    }

    /// @notice Whether x is in [0, extent), and for how many of x, x + d, x + 2d, … the answer stays the same, at most `length`.
    function within(int256 x, int256 d, uint256 length, uint256 extent) internal pure returns (bool inside, uint256) {
        unchecked {
            inside = uint256(x) < extent;
            uint256 same;
            if (inside) {
                if (uint256(x + d * int256(length - 1)) < extent) return (true, length); // also if d is 0
                same = d > 0 ? (extent - 1 - uint256(x)) / uint256(d) + 1 : uint256(x) / uint256(-d) + 1;
            } else if (length == 1 || d == 0) {
                return (false, length);
            } else if (x < 0) {
                if (d < 0) return (false, length);
                same = (uint256(-x) + uint256(d) - 1) / uint256(d);
            } else {
                if (d > 0) return (false, length);
                same = (uint256(x) - extent) / uint256(-d) + 1;
            }
            return (inside, same < length ? same : length);
        }
    }

    /// @notice How many elements of a record may be read.
    function elements(uint256 record) internal pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := mload(add(record, 0x60))
        }
    }

    /// @notice The window that holds element `position` of a record.
    function window(uint256 record, uint256 position) internal pure returns (uint256 place) {
        unchecked {
            assembly ("memory-safe") {
                place := mload(add(record, 0xa0))
                let first := mload(place)
                // position − first, unsigned, is also too great if it is negative
                if iszero(lt(sub(position, first), sub(mload(add(place, 0x20)), first))) {
                    let end := mload(add(record, 0x80))
                    for { place := add(record, WINDOWS) } lt(place, end) { place := add(place, WINDOW) } {
                        first := mload(place)
                        if lt(sub(position, first), sub(mload(add(place, 0x20)), first)) { break }
                    }
                    if eq(place, end) { place := 0 }
                    if place { mstore(add(record, 0xa0), place) }
                }
            }
            if (place == 0) {
                uint256 index;
                assembly ("memory-safe") {
                    index := mload(add(record, 0x20))
                }
                revert MissingLeaf(index, position);
            }
        }
    }

    /// @notice How many of position, position + step, … a window holds that holds the first, at most `length`.
    function span(uint256 place, uint256 position, int256 step, uint256 length) internal pure returns (uint256) {
        unchecked {
            uint256 first;
            uint256 size;
            assembly ("memory-safe") {
                first := mload(place)
                size := sub(mload(add(place, 0x20)), first)
            }
            (, length) = within(int256(position - first), step, length, size);
            return length;
        }
    }

    /// @dev Reads one tensor of a table up to its header hash.
    function _tensor(uint256 table, uint256 cursor)
        private
        pure
        returns (uint256 record, uint256 index, bytes32 hash, uint256)
    {
        unchecked {
            uint256 word;
            uint256 dtype;
            uint256 total;
            uint256 leaves;
            assembly ("memory-safe") {
                word := calldataload(cursor)
                cursor := add(cursor, 18)
                index := shr(192, word)
                dtype := byte(8, word)
                total := and(shr(120, word), 0xffffffffffffffff)
                leaves := byte(17, word)
                record := mload(0x40)
                // a window for each leaf at most, and an empty one that `window` may try
                mstore(0x40, add(record, add(add(WINDOWS, WINDOW), mul(leaves, WINDOW))))
                mstore(record, 0)
                mstore(add(record, 0x20), index)
                mstore(add(record, 0x40), dtype)
                mstore(add(record, 0x60), total)
                mstore(add(record, 0xa0), add(record, WINDOWS))
            }
            bool possible = dtype <= DTYPE_I4 && total <= MAX_ELEMENTS;
            if (leaves == 0) {
                assembly ("memory-safe") {
                    hash := calldataload(cursor)
                    cursor := add(cursor, 0x20)
                    if iszero(possible) { mstore(add(record, 0x60), 0) }
                    let end := add(record, WINDOWS)
                    mstore(add(record, 0x80), end)
                    mstore(end, 0)
                    mstore(add(end, 0x20), 0)
                }
            } else {
                if (!possible) revert WrongTable(table);
                bool ok;
                (hash, cursor, ok) = leaves == 1
                    ? _leaf(record, dtype, total, cursor)
                    : _leaves(record, leaves, dtype, total, cursor);
                if (!ok) revert WrongTable(table);
            }
            // the header's bytes 0 … 8 are the bytes 8 … 16 of the entry
            assembly ("memory-safe") {
                mstore(0x00, shl(64, word))
                mstore(0x09, hash)
                hash := keccak256(0x00, 41)
            }
            return (record, index, hash, cursor);
        }
    }

    /// @dev Reads the only opened leaf of a tensor into the window of its record and folds it to the tensor root.
    function _leaf(uint256 record, uint256 dtype, uint256 total, uint256 cursor)
        private
        pure
        returns (bytes32 root, uint256, bool ok)
    {
        unchecked {
            uint256 leaf;
            uint256 width;
            assembly ("memory-safe") {
                let shift := and(shr(shl(3, dtype), LEAF_SHIFTS), 0xff)
                let per := shl(shift, 1)
                width := shr(shift, add(total, sub(per, 1)))
                leaf := shr(216, calldataload(cursor))
                cursor := add(cursor, 5)
                ok := lt(leaf, width)
                let place := add(record, WINDOWS)
                let first := shl(shift, leaf)
                mstore(place, first)
                mstore(add(place, 0x20), add(first, per))
                mstore(add(place, 0x40), cursor)
                place := add(place, WINDOW)
                mstore(add(record, 0x80), place)
                calldatacopy(place, cursor, 0x100) // unclaimed memory
                root := keccak256(place, 0x100)
                cursor := add(cursor, 0x100)
            }
            if (ok) (root, cursor) = Merkle.rise(root, leaf, width, cursor);
            return (root, cursor, ok);
        }
    }

    /// @dev Reads the opened leaves of a tensor into windows of its record and folds them to the tensor root.
    function _leaves(uint256 record, uint256 leaves, uint256 dtype, uint256 total, uint256 cursor)
        private
        pure
        returns (bytes32 root, uint256, bool ok)
    {
        unchecked {
            // ⌈total / per⌉ leaves of `per` elements each
            uint256 width;
            uint256 list;
            assembly ("memory-safe") {
                let shift := and(shr(shl(3, dtype), LEAF_SHIFTS), 0xff)
                let per := shl(shift, 1)
                width := shr(shift, add(total, sub(per, 1)))
                list := mload(0x40) // unclaimed memory: pairs (number, hash), then a leaf
                let buffer := add(list, shl(6, leaves))
                let data := add(cursor, mul(5, leaves))
                let place := add(record, sub(WINDOWS, WINDOW))
                let least := 0
                let end := data
                ok := 1
                for { let pair := list } lt(cursor, end) { cursor := add(cursor, 5) } {
                    let leaf := shr(216, calldataload(cursor))
                    if or(lt(leaf, least), iszero(lt(leaf, width))) { ok := 0 }
                    calldatacopy(buffer, data, 0x100)
                    mstore(pair, leaf)
                    mstore(add(pair, 0x20), keccak256(buffer, 0x100))
                    // a new window, unless this leaf follows the last one
                    if or(iszero(least), xor(leaf, least)) {
                        place := add(place, WINDOW)
                        mstore(place, shl(shift, leaf))
                        mstore(add(place, 0x40), data)
                    }
                    least := add(leaf, 1)
                    mstore(add(place, 0x20), shl(shift, least))
                    data := add(data, 0x100)
                    pair := add(pair, 0x40)
                }
                mstore(add(record, 0x80), add(place, WINDOW))
                cursor := data
            }
            if (ok) (root, cursor) = Merkle.fold(list, leaves, width, cursor);
            return (root, cursor, ok);
        }
    }
}
