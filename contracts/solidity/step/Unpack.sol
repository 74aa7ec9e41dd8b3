// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import "./Isa.sol";

/// @title Elements of opened leaves as numbers: docs/SPEC.md §1.
/// @dev Positions are inside the window they are read from. Places and offsets are below 2^50.
library Unpack {
    /// @notice Writes one element of a window to `to`.
    function one(uint256 to, uint256 record, uint256 window, uint256 position) internal pure {
        many(to, record, window, position, 0, 1);
    }

    /// @notice Writes the elements position, position + step, … of a window to `to`, 32 bytes each.
    /// @dev Up to seven words past the last may be overwritten if length ≥ 8.
    /// @return wide whether the values may lie outside i32.
    function many(uint256 to, uint256 record, uint256 window, uint256 position, int256 step, uint256 length)
        internal
        pure
        returns (bool wide)
    {
        assembly ("memory-safe") {
            let dtype := mload(add(record, 0x40))
            let from := mload(add(window, 0x40))
            let offset := sub(position, mload(window))
            let end := add(to, shl(5, length))
            wide := eq(dtype, DTYPE_I64)
            switch lt(dtype, DTYPE_I16)
            case 1 {
                // u8 and i8: byte(0, …), sign-extended from byte 0 for i8; signextend(31, v) = v for u8
                let top := mul(31, iszero(dtype))
                from := add(from, offset)
                switch and(eq(step, 1), gt(length, 7))
                case 1 {
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
                default {
                    for {} lt(to, end) { to := add(to, 0x20) } {
                        mstore(to, signextend(top, byte(0, calldataload(from))))
                        from := add(from, step)
                    }
                }
            }
            default {
                switch eq(dtype, DTYPE_I4)
                case 1 {
                    // the low nibble first; signextend from bit 3: (v xor 8) − 8
                    for {} lt(to, end) { to := add(to, 0x20) } {
                        let nibble := shr(shl(2, and(offset, 1)), byte(0, calldataload(add(from, shr(1, offset)))))
                        mstore(to, sub(xor(and(nibble, 15), 8), 8))
                        offset := add(offset, step)
                    }
                }
                default {
                    // i16, i32, i64 of 2^(dtype−1) bytes: reverse the eight bytes from the element on, keep the lowest
                    let shift := sub(dtype, 1)
                    let top := sub(shl(shift, 1), 1)
                    from := add(from, shl(shift, offset))
                    step := shl(shift, step)
                    for {} lt(to, end) { to := add(to, 0x20) } {
                        let v := shr(192, calldataload(from))
                        v := or(shl(8, and(v, 0x00ff00ff00ff00ff)), and(shr(8, v), 0x00ff00ff00ff00ff))
                        v := or(shl(16, and(v, 0x0000ffff0000ffff)), and(shr(16, v), 0x0000ffff0000ffff))
                        v := or(shl(32, v), shr(32, v))
                        mstore(to, signextend(top, v))
                        from := add(from, step)
                    }
                }
            }
        }
    }

    /// @notice Writes `length` times `value` to `to`, 32 bytes each.
    function fill(uint256 to, uint256 length, int256 value) internal pure {
        assembly ("memory-safe") {
            for { let end := add(to, shl(5, length)) } lt(to, end) { to := add(to, 0x20) } { mstore(to, value) }
        }
    }
}
