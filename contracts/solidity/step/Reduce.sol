// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Alu} from "./Alu.sol";
import {Code, Decode} from "./Decode.sol";
import "./Isa.sol";
import {Lazy} from "./Lazy.sol";
import {Load} from "./Load.sol";
import {Machine, NO_SLOT, SLACK} from "./Machine.sol";

/// @title Meaning: docs/SPEC.md §3.4.
/// @dev Terms are i64 and at most 2^40, so a sum is below 2^103; an argmax partial is below 2^63 · 2^32 + 2^32. Both fit an i128 and
/// all the more an int256; arithmetic is unchecked.
library Reduce {
    /// @dev Words of memory that the arrays of a run share. More would make fewer runs, but memory costs the square of its size.
    uint256 private constant ARRAY_WORDS = 2048;

    /// @notice Makes room for the registers and writes those that stay the same: t, the output coordinates of element `e`, the constants.
    /// `acc` and the reduction coordinates are 0.
    /// @dev Until `release` nothing may be allocated: it would stand behind the arrays, and memory is paid up to its last word.
    function prepare(Machine memory m, uint256 e) internal pure {
        unchecked {
            Code memory code = m.code;
            uint256 registers;
            uint256 constants = code.constants;
            uint256 first = SLOT_CONST + code.nConst;
            uint256 ops = code.nMap > code.nPost ? code.nMap : code.nPost;
            assembly ("memory-safe") {
                registers := add(mload(0x40), shl(5, MAX_RANK))
                calldatacopy(registers, calldatasize(), shl(5, SLOT_CONST))
                let to := add(registers, shl(5, SLOT_CONST))
                for { let end := add(registers, shl(5, first)) } lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sar(192, calldataload(constants)))
                    constants := add(constants, 8)
                }
            }
            m.registers = registers;
            m.extents = registers - 32 * MAX_RANK;
            m.firstSlot = first;
            m.inner = NO_SLOT;
            m.terms = 1;
            m.arrayBase = registers + 32 * (first + ops);
            uint256 t = m.t;
            uint256 end_ = m.arrayBase + 32 * ARRAY_WORDS;
            assembly ("memory-safe") {
                mstore(registers, t)
                mstore(0x40, end_)
            }
            uint256 to = registers + 32 * (SLOT_O + code.rankO);
            uint256 extents = code.extents;
            for (uint256 place = extents + 4 * code.rankO; place > extents;) {
                place -= 4;
                to -= 32;
                uint256 extent = Decode.extentAt(code, place, int256(t));
                assembly ("memory-safe") {
                    mstore(to, mod(e, extent))
                    e := div(e, extent)
                }
            }
        }
    }

    /// @notice Gives back the room that `prepare` took: what is written after it need not pay for memory that was never used.
    function release(Machine memory m) internal pure {
        uint256 registers = m.registers;
        assembly ("memory-safe") {
            mstore(0x40, registers)
        }
    }

    /// @notice The value of the slice [k0, k1), k0 < k1 ≤ K.
    function slice(Machine memory m, uint256 k0, uint256 k1) internal pure returns (int256 total) {
        unchecked {
            uint256 rank = m.code.rankK;
            uint256 extents = m.extents;
            uint256 inner = NO_SLOT;
            uint256 place = m.code.extents + 4 * m.code.rankO;
            for (uint256 j; j < rank; ++j) {
                uint256 extent = Decode.extentAt(m.code, place + 4 * j, int256(m.t));
                assembly ("memory-safe") {
                    mstore(add(extents, shl(5, j)), extent)
                }
                if (extent > 1) inner = SLOT_K + j;
            }
            // an array for each operation and for the coordinate
            uint256 longest = ARRAY_WORDS / (m.code.nMap + 1) - SLACK;
            uint256 reducer = m.code.reducer;
            if (reducer != REDUCER_SUM) total = reducer == REDUCER_MIN ? type(int256).max : type(int256).min;
            while (k0 < k1) {
                uint256 terms = inner == NO_SLOT ? 1 : k1 - k0;
                uint256 rest = k0;
                for (uint256 j = rank; j != 0;) {
                    --j;
                    uint256 extent;
                    uint256 digit;
                    assembly ("memory-safe") {
                        extent := mload(add(extents, shl(5, j)))
                        digit := mod(rest, extent)
                        rest := div(rest, extent)
                    }
                    m.write(SLOT_K + j, digit);
                    if (SLOT_K + j == inner && extent - digit < terms) terms = extent - digit;
                }
                if (terms > longest) terms = longest;
                m.terms = terms;
                m.inner = terms == 1 ? NO_SLOT : inner;
                m.moving = terms == 1 ? 0 : 1 << inner;
                m.arrays = 0;
                m.narrow = 0;
                m.nextArray = m.arrayBase;
                total = reducer == REDUCER_SUM ? total + _sum(m) : _extreme(m, reducer, total, k0);
                k0 += terms;
            }
        }
    }

    /// @notice `acc` of a whole reduction with this partial.
    function accumulate(uint256 reducer, int256 partial_) internal pure returns (int256) {
        unchecked {
            if (reducer == REDUCER_ARGMAX) return int256(0xffffffff - (uint256(partial_) & 0xffffffff));
            return saturate(DTYPE_I64, partial_);
        }
    }

    /// @notice `acc` of a reduction of no terms.
    function empty(uint256 reducer) internal pure returns (int256) {
        if (reducer == REDUCER_MAX) return type(int64).min;
        if (reducer == REDUCER_MIN) return type(int64).max;
        return 0;
    }

    /// @notice The element of an `acc`.
    function post(Machine memory m, int256 acc) internal pure returns (int256) {
        unchecked {
            Code memory code = m.code;
            if (code.nPost != 0) {
                uint256 registers = m.registers;
                assembly ("memory-safe") {
                    // k0 … k7 become 0: there is nothing past the end of calldata
                    calldatacopy(add(registers, shl(5, SLOT_K)), calldatasize(), shl(5, MAX_RANK))
                    mstore(add(registers, shl(5, SLOT_ACC)), acc)
                }
                m.terms = 1;
                m.inner = NO_SLOT;
                m.moving = 0;
                m.arrays = 0;
                _run(m, code.postOps, code.nPost, m.firstSlot);
                acc = int256(m.read(m.firstSlot + code.nPost - 1));
            }
            return saturate(code.dtype, acc);
        }
    }

    /// @notice The nearest value of a dtype.
    function saturate(uint256 dtype, int256 value) internal pure returns (int256) {
        unchecked {
            uint256 bits = (DTYPE_BITS >> (8 * dtype)) & 0xff;
            int256 least = dtype == DTYPE_U8 ? int256(0) : -int256(1 << (bits - 1));
            int256 most = dtype == DTYPE_U8 ? int256(255) : int256(1 << (bits - 1)) - 1;
            return value < least ? least : value > most ? most : value;
        }
    }

    /// @dev Σ of the terms of the present run.
    function _sum(Machine memory m) private pure returns (int256 total) {
        unchecked {
            uint256 last = m.firstSlot + m.code.nMap - 1;
            uint256 ptr = _run(m, m.code.mapOps, m.code.nMap - 1, m.firstSlot);
            uint256 word;
            assembly {
                word := calldataload(ptr)
            }
            uint256 a = (word >> 240) & 0xff;
            uint256 b = (word >> 232) & 0xff;
            uint256 both = (1 << a) | (1 << b);
            if (word >> 248 == OP_MUL && m.moving & both == both) {
                // the last operation is the term: its products need not be stored
                uint256 lazy = Lazy.among(m, both);
                if (lazy == both && lazy >> m.inner & 1 == 0) return Lazy.dot(m.read(a), m.read(b), m.terms);
                Lazy.settle(m, lazy);
                return _dot(m.read(a), m.read(b), m.terms, m.narrow & both == both);
            }
            _run(m, ptr, 1, last);
            Lazy.settle(m, Lazy.among(m, 1 << last));
            total = int256(m.read(last));
            uint256 terms = m.terms;
            if ((m.arrays >> last) & 1 == 0) return total * int256(terms);
            assembly ("memory-safe") {
                let from := total
                total := 0
                for { let end := add(from, shl(5, terms)) } lt(from, end) { from := add(from, 0x20) } {
                    total := add(total, mload(from))
                }
            }
        }
    }

    /// @dev Σ sat_i64(a[j]·b[j]) of two arrays. Products of i32 values are at most 2^62: they need no saturation.
    function _dot(uint256 a, uint256 b, uint256 terms, bool narrow) private pure returns (int256 total) {
        assembly ("memory-safe") {
            let end := add(a, shl(5, terms))
            if narrow {
                for { let whole := add(a, shl(8, shr(3, terms))) } lt(a, whole) {} {
                    let s := mul(mload(a), mload(b))
                    s := add(s, mul(mload(add(a, 0x20)), mload(add(b, 0x20))))
                    s := add(s, mul(mload(add(a, 0x40)), mload(add(b, 0x40))))
                    s := add(s, mul(mload(add(a, 0x60)), mload(add(b, 0x60))))
                    s := add(s, mul(mload(add(a, 0x80)), mload(add(b, 0x80))))
                    s := add(s, mul(mload(add(a, 0xa0)), mload(add(b, 0xa0))))
                    s := add(s, mul(mload(add(a, 0xc0)), mload(add(b, 0xc0))))
                    total := add(total, add(s, mul(mload(add(a, 0xe0)), mload(add(b, 0xe0)))))
                    a := add(a, 0x100)
                    b := add(b, 0x100)
                }
            }
            for {} lt(a, end) { a := add(a, 0x20) } {
                let product := mul(mload(a), mload(b))
                if xor(signextend(7, product), product) { product := xor(0x7fffffffffffffff, sar(255, product)) }
                total := add(total, product)
                b := add(b, 0x20)
            }
        }
    }

    /// @dev max, min or argmax of `total` and the terms of the present run, the first of which is number `k`.
    function _extreme(Machine memory m, uint256 reducer, int256 total, uint256 k) private pure returns (int256) {
        unchecked {
            uint256 last = m.firstSlot + m.code.nMap - 1;
            _run(m, m.code.mapOps, m.code.nMap, m.firstSlot);
            Lazy.settle(m, Lazy.among(m, 1 << last));
            uint256 from = m.registers + 32 * last;
            uint256 terms = 1; // of equal terms the first decides
            if ((m.arrays >> last) & 1 != 0) {
                from = m.read(last);
                terms = m.terms;
            }
            // argmax: term·2^32 + (2^32 − 1 − k), so that of equal terms the first is the greatest
            bool numbered = reducer == REDUCER_ARGMAX;
            for (uint256 end = from + 32 * terms; from < end; from += 32) {
                int256 term;
                assembly ("memory-safe") {
                    term := mload(from)
                }
                if (numbered) term = (term << 32) + int256(0xffffffff - k++);
                if (reducer == REDUCER_MIN ? term < total : term > total) total = term;
            }
            return total;
        }
    }

    /// @dev Executes `count` operations from calldata place `ptr` into the slots from `slot` on; gives the place after them.
    function _run(Machine memory m, uint256 ptr, uint256 count, uint256 slot) private pure returns (uint256) {
        unchecked {
            for (uint256 end = slot + count; slot < end; ++slot) {
                uint256 word;
                assembly {
                    word := calldataload(ptr)
                }
                if (word >> 248 == OP_LOAD) {
                    ptr = Load.load(m, ptr, word, slot);
                } else {
                    Alu.apply_(m, word, slot);
                    ptr += 4;
                }
            }
            return ptr;
        }
    }
}
