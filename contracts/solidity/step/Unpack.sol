// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import "./Isa.sol";

/// @title Elements of opened leaves as numbers: docs/SPEC.md §1.
/// @dev Positions are inside the window they are read from. Places and offsets are below 2^50.
library Unpack {
    /// @notice The element `position` of a window.
    function one(uint256 record, uint256 window, uint256 position) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            // the first eight bytes in reverse order
            function reversed(word) -> v {
                v := shr(192, word)
                v := or(shl(8, and(v, 0x00ff00ff00ff00ff)), and(shr(8, v), 0x00ff00ff00ff00ff))
                v := or(shl(16, and(v, 0x0000ffff0000ffff)), and(shr(16, v), 0x0000ffff0000ffff))
                v := or(shl(32, and(v, 0xffffffff)), shr(32, v))
            }
            let dtype := mload(add(record, 0x40))
            let from := mload(add(window, 0x40))
            let offset := sub(position, mload(window))
            switch lt(dtype, DTYPE_I16)
            case 1 {
                // u8 as it is, i8 extended from byte 0
                value := byte(0, calldataload(add(from, offset)))
                if dtype { value := signextend(0, value) }
            }
            default {
                switch eq(dtype, DTYPE_I4)
                case 1 {
                    // the low nibble first; extended from bit 3: (v xor 8) − 8
                    value := shr(shl(2, and(offset, 1)), byte(0, calldataload(add(from, shr(1, offset)))))
                    value := sub(xor(and(value, 15), 8), 8)
                }
                default {
                    // 2^(dtype−1) bytes, the least significant first
                    let shift := sub(dtype, 1)
                    value := signextend(sub(shl(shift, 1), 1), reversed(calldataload(add(from, shl(shift, offset)))))
                }
            }
        }
    }

    /// @notice Writes the elements position, position + step, … of a window to `to`, 32 bytes each.
    /// @dev Up to SLACK words past the last may be overwritten.
    /// @return narrow 1 if the values are surely in the range of i32, else 0.
    function many(uint256 to, uint256 record, uint256 window, uint256 position, int256 step, uint256 length)
        internal
        pure
        returns (uint256 narrow)
    {
        unchecked {
            uint256 dtype;
            uint256 from;
            uint256 offset;
            assembly ("memory-safe") {
                dtype := mload(add(record, 0x40))
                from := mload(add(window, 0x40))
                offset := sub(position, mload(window))
            }
            if (step != 1) {
                for (uint256 end = to + 32 * length; to < end; to += 32) {
                    uint256 value = one(record, window, position);
                    assembly ("memory-safe") {
                        mstore(to, value)
                    }
                    position += uint256(step);
                }
            } else if (dtype < DTYPE_I16) {
                adjacent(to, to + 32 * length, from + offset, dtype == DTYPE_U8 ? 31 : 0);
            } else {
                _lanes(to, to + 32 * length, from, offset, dtype);
            }
            return dtype == DTYPE_I64 ? 0 : 1;
        }
    }

    /// @notice The word of a load of adjacent bytes from element `position` of a u8 or i8 window: place | top << 128.
    function lazy(uint256 record, uint256 window, uint256 position) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            let top := mul(31, iszero(mload(add(record, 0x40))))
            word := or(shl(128, top), add(mload(add(window, 0x40)), sub(position, mload(window))))
        }
    }

    /// @notice Whether a record has elements of one byte.
    function isBytes(uint256 record) internal pure returns (bool yes) {
        assembly ("memory-safe") {
            yes := lt(mload(add(record, 0x40)), DTYPE_I16)
        }
    }

    /// @notice Fills [to, end) from the bytes at `from` on; up to SLACK words past the end may be overwritten.
    /// @param top 0 for i8: byte i of a word is extended from byte 0; 31 for u8: signextend(31, v) = v.
    function adjacent(uint256 to, uint256 end, uint256 from, uint256 top) internal pure {
        assembly ("memory-safe") {
            for {} lt(to, end) {
                to := add(to, 0x100)
                from := add(from, 8)
            } {
                let word := calldataload(from)
                mstore(to, signextend(top, byte(0, word)))
                mstore(add(to, 0x20), signextend(top, byte(1, word)))
                mstore(add(to, 0x40), signextend(top, byte(2, word)))
                mstore(add(to, 0x60), signextend(top, byte(3, word)))
                mstore(add(to, 0x80), signextend(top, byte(4, word)))
                mstore(add(to, 0xa0), signextend(top, byte(5, word)))
                mstore(add(to, 0xc0), signextend(top, byte(6, word)))
                mstore(add(to, 0xe0), signextend(top, byte(7, word)))
            }
        }
    }

    /// @dev i16, i32, i64 or i4 from element `offset` of the bytes at `from` on. The lanes of a word, of `bits` bits each, are brought into
    /// big-endian order all at once; then the first lane is sar(256 − bits, word), the next one that of shl(bits, word).
    function _lanes(uint256 to, uint256 end, uint256 from, uint256 offset, uint256 dtype) private pure {
        assembly ("memory-safe") {
            // exchanges the halves of all groups of 2·shift bits; `mask` has the lower halves set
            function exchanged(word, shift, mask) -> v {
                v := or(shl(shift, and(word, mask)), and(shr(shift, word), mask))
            }
            let bits := and(shr(shl(3, dtype), DTYPE_BITS), 0xff)
            let high := sub(256, bits)
            // a word holds a multiple of four lanes, the first may begin with its second nibble
            from := add(from, shr(3, mul(offset, bits)))
            let odd := and(eq(bits, 4), offset)
            for {} lt(to, end) { from := add(from, 0x20) } {
                let word := calldataload(from)
                switch bits
                case 4 {
                    word := exchanged(word, 4, 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f)
                }
                default {
                    word := exchanged(word, 8, 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                    if gt(bits, 16) {
                        word := exchanged(word, 16, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
                    }
                    if gt(bits, 32) {
                        word := exchanged(word, 32, 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
                    }
                }
                let until := add(to, shl(5, div(256, bits)))
                if odd {
                    // one lane less, so the last of the four at the end is none: it is overwritten by the next word
                    word := shl(4, word)
                    until := sub(until, 0x20)
                }
                if gt(until, end) { until := end }
                for {} lt(to, until) { to := add(to, 0x80) } {
                    mstore(to, sar(high, word))
                    word := shl(bits, word)
                    mstore(add(to, 0x20), sar(high, word))
                    word := shl(bits, word)
                    mstore(add(to, 0x40), sar(high, word))
                    word := shl(bits, word)
                    mstore(add(to, 0x60), sar(high, word))
                    word := shl(bits, word)
                }
                to := until
                odd := 0
            }
        }
    }

    /// @notice Writes `length` times `value` to `to`, 32 bytes each; gives 1 if it is in the range of i32, else 0.
    function fill(uint256 to, uint256 length, uint256 value) internal pure returns (uint256 narrow) {
        assembly ("memory-safe") {
            for { let end := add(to, shl(5, length)) } lt(to, end) { to := add(to, 0x20) } { mstore(to, value) }
            narrow := eq(signextend(3, value), value)
        }
    }
}
