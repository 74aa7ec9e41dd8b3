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

    /// @notice Σ a[j]·b[j] of two loads of adjacent bytes.
    function dot(uint256 a, uint256 b, uint256 terms) internal pure returns (int256 total) {
        assembly ("memory-safe") {
            let ta := shr(128, a)
            let tb := shr(128, b)
            a := and(a, 0xffffffffffffffffffffffffffffffff)
            b := and(b, 0xffffffffffffffffffffffffffffffff)
            for { let end := add(a, terms) } lt(a, end) {
                a := add(a, 8)
                b := add(b, 8)
            } {
                let x := calldataload(a)
                let y := calldataload(b)
                // bytes past the end are made 0, and so their products
                let left := sub(end, a)
                if lt(left, 8) { x := and(x, not(shr(shl(3, left), not(0)))) }
                let s := mul(signextend(ta, byte(0, x)), signextend(tb, byte(0, y)))
                s := add(s, mul(signextend(ta, byte(1, x)), signextend(tb, byte(1, y))))
                s := add(s, mul(signextend(ta, byte(2, x)), signextend(tb, byte(2, y))))
                s := add(s, mul(signextend(ta, byte(3, x)), signextend(tb, byte(3, y))))
                s := add(s, mul(signextend(ta, byte(4, x)), signextend(tb, byte(4, y))))
                s := add(s, mul(signextend(ta, byte(5, x)), signextend(tb, byte(5, y))))
                s := add(s, mul(signextend(ta, byte(6, x)), signextend(tb, byte(6, y))))
                total := add(total, add(s, mul(signextend(ta, byte(7, x)), signextend(tb, byte(7, y)))))
            }
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
