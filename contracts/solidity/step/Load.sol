// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Decode} from "./Decode.sol";
import "./Isa.sol";
import {Lazy} from "./Lazy.sol";
import {Machine} from "./Machine.sol";
import {Unpack} from "./Unpack.sol";
import {Witness} from "./Witness.sol";

/// @title Loads: docs/SPEC.md §3.5.
/// @dev `_one` is the definition: the value of one term. A load whose indices are the same for all terms of a run needs it once; one with
/// an index that depends on an array, or with a moving iteration, needs it for every term. What remains are loads in which every index
/// is affine in the term: `_pieces` cuts their run into pieces in which either all terms are valid, or all read `pad`.
///
/// Ranges: a register is an i64 and a coefficient an i32, so an index is below 2^63 + 4·2^94 < 2^97. Only the moving coordinate makes a step,
/// so steps are below 4·2^31 and step times terms below 2^73. Valid indices are below 2^31, so positions are below 2^(8·31) = 2^248. A
/// position's step is used only if a second term is valid too, when the steps of all axes are below their extents and it is below 2^248.
library Load {
    /// @notice Executes the load at `ptr`, whose first bytes are in `word`, into `slot`; gives the place after it.
    function load(Machine memory m, uint256 ptr, uint256 word, uint256 slot) internal pure returns (uint256 next) {
        unchecked {
            uint256 axes = ptr + 16;
            int256 tau = int256(m.t);
            if ((word >> 240) & 0xff == 3) {
                (tau,) = _affine(m, axes, 0);
                axes += 32;
            }
            next = axes + 32 * ((word >> 232) & 0xff);
            uint256 uses = m.moving == 0 ? 0 : m.moving & _uses(ptr + 16, next);
            if (uses == 0) {
                m.write(slot, _source(m, word, tau) ? _one(m, axes, next, 0, _pad(word)) : _pad(word));
            } else if (uses & ~(1 << m.inner) != 0 || (axes != ptr + 16 && _uses(ptr + 16, axes) & m.moving != 0)) {
                // an index depends on another slot that moves, or the iteration moves
                Lazy.settle(m, Lazy.among(m, uses & ~(1 << m.inner)));
                _scatter(m, axes, next, word, slot);
            } else if (_source(m, word, tau)) {
                _pieces(m, axes, next, word, slot);
            } else {
                m.write(slot, _pad(word));
            }
        }
    }

    /// @dev Fills an array term by term.
    function _scatter(Machine memory m, uint256 axes, uint256 end, uint256 word, uint256 slot) private pure {
        unchecked {
            uint256 array = m.newArray();
            uint256 terms = m.terms;
            uint256 pad = _pad(word);
            bool history = (word >> 240) & 0xff == 3;
            bool valid = history || _source(m, word, int256(m.t));
            uint256 narrow = 1;
            for (uint256 j; j < terms; ++j) {
                if (history) {
                    (int256 tau,) = _affine(m, axes - 32, j);
                    valid = _source(m, word, tau);
                }
                uint256 value = valid ? _one(m, axes, end, j, pad) : pad;
                assembly ("memory-safe") {
                    mstore(add(array, shl(5, j)), value)
                    narrow := and(narrow, eq(signextend(3, value), value))
                }
            }
            m.writeArray(slot, array);
            m.narrow |= narrow << slot;
        }
    }

    /// @dev Fills an array, or the register if all terms have the same value, piece by piece.
    function _pieces(Machine memory m, uint256 axes, uint256 end, uint256 word, uint256 slot) private pure {
        unchecked {
            uint256 terms = m.terms;
            uint256 pad = _pad(word);
            uint256 array;
            uint256 narrow = 1;
            for (uint256 j; j < terms;) {
                (bool inside, uint256 position, int256 step, uint256 length) = _piece(m, axes, end, j, terms - j);
                uint256 record;
                uint256 window;
                if (inside) {
                    record = _record(m);
                    (inside, length) = Witness.within(int256(position), step, length, Witness.elements(record));
                    if (inside) {
                        window = Witness.window(record, position);
                        length = Witness.span(window, position, step, length);
                    }
                }
                if (length == terms) {
                    if (!inside) {
                        m.write(slot, pad);
                        return;
                    }
                    if (step == 1 && Unpack.isBytes(record)) {
                        m.write(slot, Unpack.lazy(record, window, position));
                        m.moving |= 1 << slot;
                        return;
                    }
                }
                if (array == 0) array = m.newArray();
                narrow &= inside
                    ? Unpack.many(array + 32 * j, record, window, position, step, length)
                    : Unpack.fill(array + 32 * j, length, pad);
                j += length;
            }
            m.writeArray(slot, array);
            m.narrow |= narrow << slot;
        }
    }

    /// @dev The longest prefix of at most `length` terms from term `j` in which either no index is valid on one and the same axis, or
    /// all are valid on all axes and the position is affine.
    function _piece(Machine memory m, uint256 axes, uint256 end, uint256 j, uint256 length)
        private
        pure
        returns (bool inside, uint256 position, int256 step, uint256)
    {
        unchecked {
            for (; axes < end; axes += 32) {
                uint256 extent = _extent(m, axes);
                (int256 x, int256 d) = _affine(m, axes, j);
                (inside, length) = Witness.within(x, d, length, extent);
                if (!inside) return (false, 0, 0, length);
                position = position * extent + uint256(x);
                step = step * int256(extent) + d;
            }
            return (true, position, step, length);
        }
    }

    /// @dev The value of term `j` from the present source.
    function _one(Machine memory m, uint256 axes, uint256 end, uint256 j, uint256 pad) private pure returns (uint256) {
        unchecked {
            uint256 position;
            for (; axes < end; axes += 32) {
                uint256 extent = _extent(m, axes);
                (int256 x,) = _affine(m, axes, j);
                if (uint256(x) >= extent) return pad; // or negative
                position = position * extent + uint256(x);
            }
            uint256 record = _record(m);
            if (position >= Witness.elements(record)) return pad;
            return Unpack.one(record, Witness.window(record, position), position);
        }
    }

    /// @dev The extent of the axis word at `ptr` at the iteration that is read.
    function _extent(Machine memory m, uint256 ptr) private pure returns (uint256 extent) {
        assembly {
            extent := and(shr(160, calldataload(ptr)), 0xffffffff)
        }
        if (extent >= EXTENT_LIMIT) extent = Decode.extent(m.code, extent, m.tau);
    }

    /// @dev base + Σ coef·slot of the word at `ptr` for term `j`, and what a term adds to it through the moving coordinate.
    function _affine(Machine memory m, uint256 ptr, uint256 j) private pure returns (int256 x, int256 d) {
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
                if and(shr(slot, arrays), 1) { value := mload(add(value, shl(5, j))) }
                if eq(slot, inner) {
                    // the register is the first term's value, unless an operation has made an array of it
                    d := add(d, coef)
                    if iszero(and(shr(slot, arrays), 1)) { value := add(value, j) }
                }
                x := add(x, mul(coef, value))
            }
        }
    }

    /// @dev The slots that the axis words in [ptr, end) use.
    function _uses(uint256 ptr, uint256 end) private pure returns (uint256 uses) {
        assembly {
            for {} lt(ptr, end) { ptr := add(ptr, 0x20) } {
                for { let left := shl(96, calldataload(ptr)) } left { left := shl(40, left) } {
                    uses := or(uses, shl(shr(248, left), 1))
                }
            }
        }
    }

    /// @dev Makes the load's tensor at iteration `tau` the present source; gives whether it may be read: constants and inputs always, values
    /// if (τ, src) stands strictly before the present leaf. |τ·N| < 2^97 · 2^32.
    function _source(Machine memory m, uint256 word, int256 tau) private pure returns (bool) {
        unchecked {
            uint256 kind = (word >> 240) & 0xff;
            int256 index = int256((word >> 192) & 0xffffffff);
            if (kind > 1) {
                kind = 2;
                index += tau * int256(m.instructions);
                if (tau < 0 || index >= int256(m.leaf)) return false;
            }
            m.tau = tau;
            m.table = kind;
            m.index = uint256(index);
            m.record = 0;
            return true;
        }
    }

    /// @dev The record of the present source, looked up when it is first needed: a load that only reads `pad` needs none.
    function _record(Machine memory m) private pure returns (uint256 record) {
        record = m.record;
        if (record == 0) {
            record = Witness.find(uint32(m.tables >> (32 * m.table)), m.table, m.index);
            m.record = record;
        }
    }

    /// @dev The load's `pad`.
    function _pad(uint256 word) private pure returns (uint256 pad) {
        assembly {
            pad := signextend(7, shr(128, word))
        }
    }
}
