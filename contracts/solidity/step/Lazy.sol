// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Machine} from "./Machine.sol";
import {Unpack} from "./Unpack.sol";

/// @title Moving slots that hold no array yet.
/// @dev They are the moving coordinate, whose word is its value at the first term, and loads of adjacent bytes, whose word is
/// place | top << 128 (see `Unpack.adjacent`). Many are never needed as arrays: indices step along the coordinate, and the sum of a product of bytes
/// reads them where they are.
library Lazy {
    /// @notice The given slots that move but hold no array.
    function among(Machine memory m, uint256 slots) internal pure returns (uint256) {
        return slots & m.moving & ~m.arrays;
    }

    /// @notice Makes arrays of these slots.
    function settle(Machine memory m, uint256 slots) internal pure {
        unchecked {
            while (slots != 0) {
                uint256 slot;
                assembly {
                    slot := sub(255, clz(slots))
                }
                slots ^= 1 << slot;
                uint256 word = m.read(slot);
                uint256 array = m.newArray();
                m.writeArray(slot, array);
                // a coordinate is below 2^31
                m.narrow |= 1 << slot;
                if (slot == m.inner) _count(array, array + 32 * m.terms, word);
                else Unpack.adjacent(array, array + 32 * m.terms, uint128(word), word >> 128);
            }
        }
    }

    /// @notice Σ a[j]·b[j] of two loads of adjacent bytes; fewer than 2^12 terms.
    /// @dev 32 terms at a time. Every fourth byte of a word makes eight lanes of 32 bits: with A = Σ a_j·2^(32j) and B = Σ b_(7−j)·2^(32j)
    /// the product A·B mod 2^256 has Σ a_j·b_j in its highest lane. Lanes are signed and borrow from their neighbours. No lane of the sum of
    /// all products exceeds 2^12 · 2^16 in magnitude, so those below the highest add less than 2^223 to it: rounding gives it exactly.
    function dot(uint256 a, uint256 b, uint256 terms) internal pure returns (int256 total) {
        assembly ("memory-safe") {
            let lanes := 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff
            // i8: a byte x is (x xor 128) − 128, u8: (x xor 0) − 0
            let sa := mul(0x0000008000000080000000800000008000000080000000800000008000000080, iszero(shr(128, a)))
            let sb := mul(0x0000008000000080000000800000008000000080000000800000008000000080, iszero(shr(128, b)))
            a := and(a, 0xffffffffffffffffffffffffffffffff)
            b := and(b, 0xffffffffffffffffffffffffffffffff)
            for { let end := add(a, terms) } lt(a, end) {
                a := add(a, 0x20)
                b := add(b, 0x20)
            } {
                let x := calldataload(a)
                // bytes past the end are made 0, and so their products
                let left := sub(end, a)
                if lt(left, 0x20) { x := and(x, not(shr(shl(3, left), not(0)))) }
                // the lanes of the other word in reverse order
                let y := calldataload(b)
                y := or(shl(128, y), shr(128, y))
                let swap := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
                y := or(shl(64, and(y, swap)), and(shr(64, y), swap))
                swap := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
                y := or(shl(32, and(y, swap)), and(shr(32, y), swap))
                let s := mul(sub(xor(and(x, lanes), sa), sa), sub(xor(and(y, lanes), sb), sb))
                x := shr(8, x)
                y := shr(8, y)
                s := add(s, mul(sub(xor(and(x, lanes), sa), sa), sub(xor(and(y, lanes), sb), sb)))
                x := shr(8, x)
                y := shr(8, y)
                s := add(s, mul(sub(xor(and(x, lanes), sa), sa), sub(xor(and(y, lanes), sb), sb)))
                x := shr(8, x)
                y := shr(8, y)
                s := add(s, mul(sub(xor(and(x, lanes), sa), sa), sub(xor(and(y, lanes), sb), sb)))
                total := add(total, s)
            }
            total := sar(224, add(total, shl(223, 1)))
        }
    }

    /// @dev value, value + 1, … in [to, end).
    function _count(uint256 to, uint256 end, uint256 value) private pure {
        assembly ("memory-safe") {
            for {} lt(to, end) { to := add(to, 0x20) } {
                mstore(to, value)
                value := add(value, 1)
            }
        }
    }
}
