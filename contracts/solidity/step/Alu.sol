// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import "./Isa.sol";
import {Lazy} from "./Lazy.sol";
import {Machine} from "./Machine.sol";

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
            uint256 registers = m.registers;
            uint256 xa = (word >> 240) & 0xff;
            uint256 xb = (word >> 232) & 0xff;
            uint256 xc = (word >> 224) & 0xff;
            uint256 to = registers + 32 * slot;
            uint256 end = to + 32;
            uint256 sa;
            uint256 sb;
            uint256 sc;
            uint256 operands = (1 << xa) | (1 << xb) | (1 << xc);
            if (operands & m.moving != 0) {
                Lazy.settle(m, Lazy.among(m, operands));
                uint256 arrays = m.arrays;
                to = m.newArray();
                end = to + 32 * m.terms;
                m.writeArray(slot, to);
                assembly ("memory-safe") {
                    sa := shl(5, and(shr(xa, arrays), 1))
                    sb := shl(5, and(shr(xb, arrays), 1))
                    sc := shl(5, and(shr(xc, arrays), 1))
                }
            }
            // an array's register holds its place, another operand is read from its register
            assembly ("memory-safe") {
                xa := add(registers, shl(5, xa))
                if sa { xa := mload(xa) }
                xb := add(registers, shl(5, xb))
                if sb { xb := mload(xb) }
                xc := add(registers, shl(5, xc))
                if sc { xc := mload(xc) }
            }
            uint256 op = word >> 248;
            if ((OP_ARITIES >> (2 * op)) & 3 == 3) _ternary(op, to, end, xa, sa, xb, sb, xc, sc);
            else if (op < OP_ABS) _arithmetic(op, to, end, xa, sa, xb, sb);
            else if (op < OP_DIV) _bits(op, to, end, xa, sa, xb, sb);
            else _rest(op, to, end, xa, sa, xb, sb);
        }
    }

    /// @dev clamp, mulshr, select.
    function _ternary(
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
            switch op
            case 14 {
                // OP_MULSHR: ⌊(a·b + h) / 2^c⌋, h = ⌊2^c / 2⌋ but 0 for c = 0
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let s := mload(xc)
                    s := mul(s, sgt(s, 0))
                    if gt(s, MAX_SHIFT) { s := MAX_SHIFT }
                    let v := sar(s, add(mul(mload(xa), mload(xb)), shl(sub(s, 1), gt(s, 0))))
                    if xor(signextend(7, v), v) { v := xor(0x7fffffffffffffff, sar(255, v)) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                    xc := add(xc, sc)
                }
            }
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
            default {
                // OP_CLAMP: min(max(a, b), c)
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xa)
                    let b := mload(xb)
                    if sgt(b, v) { v := b }
                    b := mload(xc)
                    if sgt(v, b) { v := b }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                    xc := add(xc, sc)
                }
            }
        }
    }

    /// @dev mul, add, sub, min, max. A value v that is no i64 becomes 2^63 − 1, or the complement −2^63 if it is negative.
    function _arithmetic(uint256 op, uint256 to, uint256 end, uint256 xa, uint256 sa, uint256 xb, uint256 sb)
        private
        pure
    {
        assembly ("memory-safe") {
            switch op
            case 3 {
                // OP_MUL: a·b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mul(mload(xa), mload(xb))
                    if xor(signextend(7, v), v) { v := xor(0x7fffffffffffffff, sar(255, v)) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 1 {
                // OP_ADD: a + b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := add(mload(xa), mload(xb))
                    if xor(signextend(7, v), v) { v := xor(0x7fffffffffffffff, sar(255, v)) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 2 {
                // OP_SUB: a − b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := sub(mload(xa), mload(xb))
                    if xor(signextend(7, v), v) { v := xor(0x7fffffffffffffff, sar(255, v)) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 4 {
                // OP_MIN
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xa)
                    let b := mload(xb)
                    if slt(b, v) { v := b }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            default {
                // OP_MAX
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xa)
                    let b := mload(xb)
                    if sgt(b, v) { v := b }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
        }
    }

    /// @dev abs, and, or, xor, shl, shr, rshr.
    function _bits(uint256 op, uint256 to, uint256 end, uint256 xa, uint256 sa, uint256 xb, uint256 sb)
        private
        pure
    {
        assembly ("memory-safe") {
            // the amount of a shift: min(max(x, 0), MAX_SHIFT)
            function amount(x) -> y {
                y := mul(x, sgt(x, 0))
                if gt(y, MAX_SHIFT) { y := MAX_SHIFT }
            }
            switch op
            case 12 {
                // OP_SHR: ⌊a / 2^b⌋
                for {} lt(to, end) { to := add(to, 0x20) } {
                    mstore(to, sar(amount(mload(xb)), mload(xa)))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 13 {
                // OP_RSHR: ⌊(a + h) / 2^b⌋, h = ⌊2^b / 2⌋ but 0 for b = 0; at most (2^63 − 1 + 1) / 2 for b > 0, so in range
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let s := amount(mload(xb))
                    mstore(to, sar(s, add(mload(xa), shl(sub(s, 1), gt(s, 0)))))
                    xa := add(xa, sa)
                    xb := add(xb, sb)
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
            case 11 {
                // OP_SHL: a·2^b
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := shl(amount(mload(xb)), mload(xa))
                    if xor(signextend(7, v), v) { v := xor(0x7fffffffffffffff, sar(255, v)) }
                    mstore(to, v)
                    xa := add(xa, sa)
                    xb := add(xb, sb)
                }
            }
            case 7 {
                // OP_ABS: −2^63 becomes 2^63 − 1
                for {} lt(to, end) { to := add(to, 0x20) } {
                    let v := mload(xa)
                    let sign := sar(255, v)
                    v := sub(xor(v, sign), sign)
                    mstore(to, sub(v, shr(63, v)))
                    xa := add(xa, sa)
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

    /// @dev div, rem, isqrt, log2, eq, lt.
    function _rest(uint256 op, uint256 to, uint256 end, uint256 xa, uint256 sa, uint256 xb, uint256 sb)
        private
        pure
    {
        assembly ("memory-safe") {
            // whether truncated division by b with remainder r is one above floor division: r ≠ 0 and the signs differ
            function mend(r, b) -> y {
                y := and(gt(r, 0), slt(xor(r, b), 0))
            }
            switch op
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
                    let v := sub(sdiv(a, b), mend(smod(a, b), b))
                    mstore(to, sub(v, eq(v, 0x8000000000000000)))
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
                // OP_ISQRT: Newton from x = 2^⌈bits/2⌉, √a ≤ x ≤ 2√a. The relative error 1 becomes 1/4, 1/40, 1/3280, 2^-24, 2^-49, 2^-99,
                // and √a < 2^32. Rounded down, a step never falls below ⌊√a⌋. x / 0 = 0 makes 0 of a ≤ 0.
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
