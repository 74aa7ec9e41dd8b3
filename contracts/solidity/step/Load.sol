// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Code, Decode} from "./Decode.sol";
import "./Isa.sol";
import {Machine} from "./Machine.sol";
import {Unpack} from "./Unpack.sol";
import {Witness} from "./Witness.sol";

/// @title Loads: docs/SPEC.md §3.5.
/// @dev A run of terms is cut into *pieces*. In a piece the index of every view axis is affine in the term and either all terms are valid,
/// their positions are affine and lie in one opened window, or all terms read `pad`. A piece of one term is the definition
/// itself; it is what remains when an index names a slot that holds an array.
///
/// Ranges: a register is an i64 and a coefficient an i32, so an index is below 2^63 + 4·2^94 < 2^97. Only the moving coordinate makes a step,
/// so steps are below 4·2^31 and step times terms below 2^73. Valid indices are below 2^31, so positions are below 2^(8·31) = 2^248. A
/// position's step is used only if a second term is valid too, when the steps of all axes are below their extents and it is below 2^248.
library Load {
    /// @notice Executes the load at `ptr` into `slot`; gives the place after it.
    function load(Machine memory m, uint256 ptr, uint256 word, uint256 slot) internal pure returns (uint256 next) {
        unchecked {
            uint256 terms = m.terms;
            uint256 place = m.registers + 32 * slot;
            int256 pad = int256(int64(uint64(word >> 128)));
            uint256 axes = ptr + (((word >> 240) & 0xff) == 3 ? 48 : 16);
            next = axes + 32 * ((word >> 232) & 0xff);
            bool narrow = int256(int32(pad)) == pad;
            uint256 array = m.arrayBase + m.arraySize * (slot - m.firstSlot);
            for (uint256 j; j < terms;) {
                (uint256 record, uint256 position, int256 step, uint256 length) =
                    _piece(m, ptr, word, j, terms - j);
                if (record == 0) {
                    if (length == terms) {
                        _set(place, uint256(pad));
                        return next;
                    }
                    Unpack.fill(array + 32 * j, length, pad);
                } else {
                    uint256 window = Witness.window(record, position);
                    length = _within(position, step, length, window);
                    if (length == terms && step == 0) {
                        Unpack.one(place, record, window, position);
                        return next;
                    }
                    if (Unpack.many(array + 32 * j, record, window, position, step, length)) narrow = false;
                }
                j += length;
            }
            _set(place, array);
            m.arrays |= 1 << slot;
            if (narrow) m.narrow |= 1 << slot;
        }
    }

    /// @dev The longest prefix of at most `length` terms from term `j` that is one piece, but for windows.
    /// @return record of the source, 0 if the piece reads `pad`.
    function _piece(Machine memory m, uint256 ptr, uint256 word, uint256 j, uint256 length)
        private
        pure
        returns (uint256 record, uint256 position, int256 step, uint256)
    {
        unchecked {
            int256 tau = int256(m.t);
            uint256 table = (word >> 240) & 0xff;
            uint256 index = (word >> 192) & 0xffffffff;
            ptr += 16;
            if (table > 1) {
                if (table == 3) {
                    // a moving iteration changes the tensor from term to term
                    uint256 moves;
                    (tau, step, moves) = _affine(m, ptr, j);
                    if (step != 0 || moves != 0) length = 1;
                    step = 0;
                    ptr += 32;
                }
                // (τ, src) strictly before the present leaf; |τ·N| < 2^97 · 2^32
                int256 leaf = tau * int256(m.instructions) + int256(index);
                if (tau < 0 || leaf >= int256(m.leaf)) return (0, 0, 0, length);
                table = 2;
                index = uint256(leaf);
            }
            for (uint256 end = ptr + 32 * ((word >> 232) & 0xff); ptr < end; ptr += 32) {
                (int256 x, int256 d, uint256 moves) = _affine(m, ptr, j);
                if (moves != 0) length = 1;
                uint256 extent;
                assembly {
                    extent := and(shr(160, calldataload(ptr)), 0xffffffff)
                }
                extent = Decode.extent(m.code, extent, tau);
                bool inside;
                (inside, length) = _inside(x, d, length, extent);
                if (!inside) return (0, 0, 0, length);
                position = position * extent + uint256(x);
                step = step * int256(extent) + d;
            }
            record = Witness.find(m.tables[table], table, index);
            uint256 elements;
            uint256 dtype;
            assembly ("memory-safe") {
                dtype := mload(add(record, 0x40))
                elements := mload(add(record, 0x60))
            }
            if (dtype > DTYPE_I4 || elements > MAX_ELEMENTS) return (0, 0, 0, length);
            bool within;
            (within, length) = _inside(int256(position), step, length, elements);
            return (within ? record : 0, position, step, length);
        }
    }

    /// @dev base + Σ coef·slot of the axis word at `ptr` for term `j`; what a term adds to it, and whether it depends on an array besides.
    function _affine(Machine memory m, uint256 ptr, uint256 j) private pure returns (int256 x, int256 d, uint256 moves) {
        uint256 registers = m.registers;
        uint256 arrays = m.arrays;
        uint256 inner = m.inner;
        assembly ("memory-safe") {
            let word := calldataload(ptr)
            x := sar(192, word)
            for { let left := shl(96, word) } left { left := shl(40, left) } {
                let slot := shr(248, left)
                let coef := signextend(3, shr(216, left))
                let value := mload(add(registers, shl(5, slot)))
                switch eq(slot, inner)
                case 1 {
                    d := add(d, coef)
                    // the register is the first term's value, unless an operation has made an array of it
                    switch and(shr(slot, arrays), 1)
                    case 1 { value := mload(add(value, shl(5, j))) }
                    default { value := add(value, j) }
                }
                default {
                    if and(shr(slot, arrays), 1) {
                        moves := 1
                        value := mload(add(value, shl(5, j)))
                    }
                }
                x := add(x, mul(coef, value))
            }
        }
    }

    /// @dev Whether x is in [0, extent), and for how many of the terms x, x + d, x + 2d, … the answer stays the same, at most `length`.
    function _inside(int256 x, int256 d, uint256 length, uint256 extent) private pure returns (bool inside, uint256) {
        unchecked {
            inside = uint256(x) < extent;
            if (d == 0 || length == 1) return (inside, length);
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

    /// @dev For how many of the positions p, p + step, … a window holds them, at most `length`; it holds the first.
    function _within(uint256 p, int256 step, uint256 length, uint256 window) private pure returns (uint256 within) {
        uint256 first;
        uint256 end;
        assembly ("memory-safe") {
            first := mload(window)
            end := mload(add(window, 0x20))
        }
        unchecked {
            (, within) = _inside(int256(p - first), step, length, end - first);
        }
    }

    function _set(uint256 place, uint256 value) private pure {
        assembly ("memory-safe") {
            mstore(place, value)
        }
    }
}
