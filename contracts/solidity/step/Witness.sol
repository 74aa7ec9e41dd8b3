// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import "./Errors.sol";
import "./Isa.sol";

/// @title Opened tensors: docs/SPEC.md §6.2.
/// @dev An opened tensor is a record in memory of 32-byte words, and the records of a table are a list:
///
///     0 next record, 0 at the end     1 index in the table     2 dtype     3 elements     4 number of windows
///     5 window to try first           6 … windows: first element, end element, place in calldata of the first
///
/// A window is a run of adjacent opened leaves, so its bytes are adjacent in calldata. Record places are below 2^32, element numbers below
/// 2^41 (2^40 and the rest of the last leaf); nothing here overflows.
library Witness {
    uint256 internal constant WINDOWS = 0xc0;
    uint256 internal constant WINDOW = 0x60;

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
        (hash, cursor) = Merkle.climb(hash, i, width, Merkle.TO_ROOT, cursor);
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
            uint256 hashes;
            assembly ("memory-safe") {
                count := shr(248, calldataload(cursor))
                cursor := add(cursor, 1)
                hashes := mload(0x40)
                mstore(0x40, add(hashes, shl(6, count)))
            }
            if (count == 0) return (0, cursor);
            uint256 last;
            uint256 least;
            for (uint256 j; j < count; ++j) {
                uint256 record;
                bytes32 hash;
                (record, hash, cursor) = _tensor(table, cursor);
                assembly ("memory-safe") {
                    let index := mload(add(record, 0x20))
                    let pair := add(hashes, shl(6, j))
                    mstore(pair, index)
                    mstore(add(pair, 0x20), hash)
                    // the list: from the last record, or from the head
                    switch last
                    case 0 { head := record }
                    default { mstore(last, record) }
                    last := record
                    // ascending, and below the width: else the width is put where no index is below it
                    if or(lt(index, least), iszero(lt(index, width))) { width := 0 }
                    least := add(index, 1)
                }
            }
            bytes32 folded;
            (folded, cursor) = Merkle.fold(hashes, count, width, cursor);
            if (folded != root || width == 0) revert WrongTable(table);
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
            if (length == 1 || d == 0) return (inside, length);
            uint256 same;
            if (inside) {
                if (uint256(x + d * int256(length - 1)) < extent) return (true, length);
                same = d > 0 ? (extent - 1 - uint256(x)) / uint256(d) + 1 : uint256(x) / uint256(-d) + 1;
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

    /// @notice Whether a record's header allows the element `position`, and for how many of position, position + step, … that stays the
    /// same, at most `length`. No element may be read under a header that no tensor can have.
    function holds(uint256 record, uint256 position, int256 step, uint256 length)
        internal
        pure
        returns (bool, uint256)
    {
        uint256 elements;
        assembly ("memory-safe") {
            elements := mload(add(record, 0x60))
            if or(gt(mload(add(record, 0x40)), DTYPE_I4), gt(elements, MAX_ELEMENTS)) { elements := 0 }
        }
        return within(int256(position), step, length, elements);
    }

    /// @notice The window that holds element `position` of a record, and how many of position, position + step, … it holds, at most
    /// `length`.
    function window(uint256 record, uint256 position, int256 step, uint256 length)
        internal
        pure
        returns (uint256 place, uint256)
    {
        unchecked {
            uint256 first;
            uint256 size;
            assembly ("memory-safe") {
                place := mload(add(record, 0xa0))
                first := mload(place)
                size := sub(mload(add(place, 0x20)), first)
                // position − first, unsigned, is also too great if it is negative
                if iszero(lt(sub(position, first), size)) {
                    let end := add(add(record, WINDOWS), mul(mload(add(record, 0x80)), WINDOW))
                    for { place := add(record, WINDOWS) } lt(place, end) { place := add(place, WINDOW) } {
                        first := mload(place)
                        size := sub(mload(add(place, 0x20)), first)
                        if lt(sub(position, first), size) { break }
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
            (, length) = within(int256(position - first), step, length, size);
            return (place, length);
        }
    }

    /// @dev Reads and verifies one tensor of a table up to its header hash.
    function _tensor(uint256 table, uint256 cursor) private pure returns (uint256 record, bytes32 hash, uint256) {
        unchecked {
            uint256 dtype;
            uint256 elements;
            uint256 leaves;
            assembly ("memory-safe") {
                let word := calldataload(cursor)
                cursor := add(cursor, 18)
                dtype := byte(8, word)
                elements := and(shr(120, word), 0xffffffffffffffff)
                leaves := byte(17, word)
                record := mload(0x40)
                // a window for each leaf at most, and an empty one that `window` may try
                mstore(0x40, add(record, add(add(WINDOWS, WINDOW), mul(leaves, WINDOW))))
                mstore(record, 0)
                mstore(add(record, 0x20), shr(192, word))
                mstore(add(record, 0x40), dtype)
                mstore(add(record, 0x60), elements)
                mstore(add(record, 0x80), 0)
                mstore(add(record, 0xa0), add(record, WINDOWS))
                mstore(add(record, 0xc0), 0)
                mstore(add(record, 0xe0), 0)
            }
            if (leaves == 0) {
                assembly ("memory-safe") {
                    hash := calldataload(cursor)
                    cursor := add(cursor, 0x20)
                }
            } else {
                if (dtype > DTYPE_I4 || elements > MAX_ELEMENTS) revert WrongTable(table);
                bool ok;
                (hash, cursor, ok) = _leaves(record, leaves, dtype, elements, cursor);
                if (!ok) revert WrongTable(table);
            }
            return (record, Merkle.header(dtype, elements, hash), cursor);
        }
    }

    /// @dev Reads the opened leaves of a tensor into windows of its record and folds them to the tensor root.
    function _leaves(uint256 record, uint256 leaves, uint256 dtype, uint256 elements, uint256 cursor)
        private
        pure
        returns (bytes32 root, uint256, bool ok)
    {
        unchecked {
            // ⌈elements · bits / 2048⌉ leaves of 2048 / bits elements each
            uint256 width;
            uint256 list;
            assembly ("memory-safe") {
                let bits := and(shr(shl(3, dtype), DTYPE_BITS), 0xff)
                width := shr(11, add(mul(elements, bits), 2047))
                list := mload(0x40) // unclaimed memory: pairs (number, hash), then a leaf
                let buffer := add(list, shl(6, leaves))
                let data := add(cursor, mul(5, leaves))
                let per := div(2048, bits)
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
                        mstore(place, mul(leaf, per))
                        mstore(add(place, 0x40), data)
                    }
                    mstore(add(place, 0x20), mul(add(leaf, 1), per))
                    least := add(leaf, 1)
                    data := add(data, 0x100)
                    pair := add(pair, 0x40)
                }
                mstore(add(record, 0x80), div(sub(add(place, WINDOW), add(record, WINDOWS)), WINDOW))
                cursor := data
            }
            (root, cursor) = Merkle.fold(list, leaves, width, cursor);
            return (root, cursor, ok);
        }
    }
}
