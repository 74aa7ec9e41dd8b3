// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import "./Isa.sol";
import {Machine} from "./Machine.sol";
import {Unpack} from "./Unpack.sol";

/// @title Scalar operations: docs/SPEC.md §3.6, each over all terms of a run.
/// @dev Operands are i64. So a sum is below 2^64, a product at most 2^126, a·b + 2^125 below 2^127 and a·2^126 at most 2^189: every
/// result before saturation is exact in int256, and arithmetic is unchecked.
///
/// Every loop has the same form: `to` walks over the results, xa, xb, xc over the operands, by 32 bytes a term or by 0 if the operand is the
/// same for all terms. If all are, there is one result, the register itself.
library Alu {
    /// @notice Executes an operation that is no load. `word` begins with its four bytes.
    function apply_(Machine memory m, uint256 word, uint256 slot) internal pure {
        unchecked {
            uint256 xa = (word >> 240) & 0xff;
            uint256 xb = (word >> 232) & 0xff;
            uint256 xc = (word >> 224) & 0xff;
            uint256 to = m.registers + 32 * slot;
            uint256 end = to + 32;
            uint256 sa;
            uint256 sb;
            uint256 sc;
            uint256 inner = m.inner;
            if (xa == inner || xb == inner || xc == inner) _spread(m, inner);
            uint256 arrays = m.arrays;
            if (arrays != 0 && (arrays & ((1 << xa) | (1 << xb) | (1 << xc))) != 0) {
                uint256 place = to;
                to = m.arrayBase + m.arraySize * (slot - m.firstSlot);
                end = to + 32 * m.terms;
                assembly ("memory-safe") {
                    mstore(place, to)
                    sa := shl(5, and(shr(xa, arrays), 1))
                    sb := shl(5, and(shr(xb, arrays), 1))
                    sc := shl(5, and(shr(xc, arrays), 1))
                }
                m.arrays = arrays | (1 << slot);
            }
            {
                uint256 registers = m.registers;
                // an array's register holds its place, another operand is read from its register
                assembly ("memory-safe") {
                    xa := add(registers, shl(5, xa))
                    if sa { xa := mload(xa) }
                    xb := add(registers, shl(5, xb))
                    if sb { xb := mload(xb) }
                    xc := add(registers, shl(5, xc))
                    if sc { xc := mload(xc) }
                }
            }
            uint256 op = word >> 248;
            if (op < OP_ABS) _arithmetic(op, to, end, xa, sa, xb, sb, xc, sc);
            else if (op < OP_DIV) _bits(op, to, end, xa, sa, xb, sb, xc, sc);
            else _rest(op, to, end, xa, sa, xb, sb, xc, sc);
        }
    }

    /// @dev Makes an array of the moving coordinate, once a run.
    function _spread(Machine memory m, uint256 inner) private pure {
        unchecked {
            if ((m.arrays >> inner) & 1 != 0) return;
            uint256 place = m.registers + 32 * inner;
            uint256 array = m.arrayBase + m.arraySize * m.code.nMap;
            uint256 terms = m.terms;
            assembly ("memory-safe") {
                let value := mload(place)
                for { let end := add(value, terms) } lt(value, end) { value := add(value, 1) } {
                    mstore(array, value)
                    array := add(array, 0x20)
                }
                mstore(place, sub(array, shl(5, terms)))
            }
            m.arrays |= 1 << inner;
            // a coordinate is below 2^31
            m.narrow |= 1 << inner;
        }
    }

    /// @dev add, sub, mul, min, max, clamp.
    function _arithmetic(
        uint256 op,
        uint256 to,
        uint256 end,
        uint256 xa,
        uint256 sa,
        uint256 xb,
        uint256 sb,
        uint256 xc,
        uint256 sc
    ) private pure {
        assembly ("memory-safe") {
            // the nearest i64: 2^63 − 1, or its complement −2^63 for a negative value
            function sat(x) -> y {
                y := x
                if xor(signextend(7, x), x) { y := xor(0x7fffffffffffffff, sar(255, x)) }
            }
            switch op
            case 3 {
                // OP_MUL: a·b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sat(mul(mload(xa), mload(xb))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 1 {
                // OP_ADD: a + b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sat(add(mload(xa), mload(xb))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 2 {
                // OP_SUB: a − b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sat(sub(mload(xa), mload(xb))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 4 {
                // OP_MIN
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    let b := mload(xb)
                    mstore(to, xor(a, mul(xor(a, b), slt(b, a))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 5 {
                // OP_MAX
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    let b := mload(xb)
                    mstore(to, xor(a, mul(xor(a, b), sgt(b, a))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            default {
                // OP_CLAMP: min(max(a, b), c)
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xa)
                    let b := mload(xb)
                    let c := mload(xc)
                    if sgt(b, v) { v := b }
                    if sgt(v, c) { v := c }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                    xc := add(xc, sc)
                }
            }
        }
    }

    /// @dev abs, and, or, xor, shl, shr, rshr, mulshr.
    function _bits(
        uint256 op,
        uint256 to,
        uint256 end,
        uint256 xa,
        uint256 sa,
        uint256 xb,
        uint256 sb,
        uint256 xc,
        uint256 sc
    ) private pure {
        assembly ("memory-safe") {
            function sat(x) -> y {
                y := x
                if xor(signextend(7, x), x) { y := xor(0x7fffffffffffffff, sar(255, x)) }
            }
            // min(max(x, 0), MAX_SHIFT)
            function amount(x) -> y {
                y := mul(x, sgt(x, 0))
                if gt(y, MAX_SHIFT) { y := MAX_SHIFT }
            }
            switch op
            case 14 {
                // OP_MULSHR: ⌊(a·b + h) / 2^s⌋; h = 2^(s−1), and ⌊2^0 / 2⌋ = 0 for s = 0
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let s := amount(mload(xc))
                    mstore(to, sat(sar(s, add(mul(mload(xa), mload(xb)), shr(1, shl(s, 1))))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                    xc := add(xc, sc)
                }
            }
            case 13 {
                // OP_RSHR: ⌊(a + h) / 2^s⌋; at most (2^63 − 1 + 1) / 2 for s > 0, so in range
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let s := amount(mload(xb))
                    mstore(to, sar(s, add(mload(xa), shr(1, shl(s, 1)))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 12 {
                // OP_SHR: ⌊a / 2^s⌋
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sar(amount(mload(xb)), mload(xa)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 11 {
                // OP_SHL: a·2^s
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sat(shl(amount(mload(xb)), mload(xa))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 7 {
                // OP_ABS: |−2^63| saturates
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    let sign := sar(255, a)
                    mstore(to, sat(sub(xor(a, sign), sign)))
                    xa := add(xa, sa)
                }
            }
            case 8 {
                // OP_AND: sign extension commutes with bitwise operations
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, and(mload(xa), mload(xb)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 9 {
                // OP_OR
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, or(mload(xa), mload(xb)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            default {
                // OP_XOR
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, xor(mload(xa), mload(xb)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
        }
    }

    /// @dev div, rem, isqrt, log2, eq, lt, select.
    function _rest(
        uint256 op,
        uint256 to,
        uint256 end,
        uint256 xa,
        uint256 sa,
        uint256 xb,
        uint256 sb,
        uint256 xc,
        uint256 sc
    ) private pure {
        assembly ("memory-safe") {
            // whether the remainder r of truncated division by b must be mended to that of floor division: r ≠ 0, signs differ
            function mend(r, b) -> y {
                y := and(gt(r, 0), slt(xor(r, b), 0))
            }
            switch op
            case 21 {
                // OP_SELECT: b if a ≠ 0, else c
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xc)
                    if mload(xa) { v := mload(xb) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                    xc := add(xc, sc)
                }
            }
            case 20 {
                // OP_LT
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, slt(mload(xa), mload(xb)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 19 {
                // OP_EQ
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, eq(mload(xa), mload(xb)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 15 {
                // OP_DIV: ⌊a / b⌋. x / 0 and x mod 0 are 0 in the EVM; −2^63 / −1 = 2^63 is the one quotient out of range
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    let b := mload(xb)
                    let q := sub(sdiv(a, b), mend(smod(a, b), b))
                    mstore(to, sub(q, eq(q, 0x8000000000000000)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 16 {
                // OP_REM: a − b·⌊a / b⌋, of the divisor's sign
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let b := mload(xb)
                    let r := smod(mload(xa), b)
                    mstore(to, add(r, mul(b, mend(r, b))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 17 {
                // OP_ISQRT: Newton from x = 2^⌈bits/2⌉ with √a ≤ x ≤ 2√a; the relative error 1 becomes 1/4, 1/40, 1/3280, 2^-24.3,
                // 2^-49.6, 2^-100, and √a < 2^32. Rounded down, a step never falls below ⌊√a⌋; x/0 = 0 makes 0 of 0.
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    a := mul(a, sgt(a, 0))
                    let x := shl(shr(1, sub(257, clz(a))), 1)
                    x := shr(1, add(x, div(a, x)))
                    x := shr(1, add(x, div(a, x)))
                    x := shr(1, add(x, div(a, x)))
                    x := shr(1, add(x, div(a, x)))
                    x := shr(1, add(x, div(a, x)))
                    x := shr(1, add(x, div(a, x)))
                    mstore(to, sub(x, gt(mul(x, x), a)))
                    xa := add(xa, sa)
                }
            }
            default {
                // OP_LOG2: the bit length of a, less 1; −1 if a ≤ 0
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let a := mload(xa)
                    mstore(to, sub(255, clz(mul(a, sgt(a, 0)))))
                    xa := add(xa, sa)
                }
            }
        }
    }
}
