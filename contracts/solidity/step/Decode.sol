// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import "./Isa.sol";

/// @notice A well-formed instruction: its counts, and where in calldata its parts begin.
struct Code {
    uint256 dtype;
    uint256 reducer;
    uint256 rankO;
    uint256 rankK;
    uint256 nConst;
    uint256 nMap;
    uint256 nPost;
    uint256 extents;
    uint256 dynamics;
    uint256 constants;
    uint256 mapOps;
    uint256 postOps;
}

/// @title Decoding: docs/SPEC.md §3.1 to §3.3.
/// @dev Arithmetic is unchecked: places in calldata grow by at most 528 bytes an operation and 256 operations, extents are below 2^31
/// and at most eight are multiplied, and a, b, τ of a dynamic extent are below 2^64 in magnitude.
library Decode {
    /// @notice Reads and checks a whole encoding into `code`.
    /// @param counts N:32 | nConsts:32 | nInputs:32: how many sources loads of the kinds 2 and 3, 0, and 1 choose from.
    /// @return ok whether the bytes are well-formed; if not, `code` is meaningless. Bytes read past their end may be anything: the length is
    /// compared at the end.
    function decode(Code memory code, bytes calldata encoding, uint256 counts) internal pure returns (bool ok) {
        unchecked {
            uint256 ptr;
            uint256 head;
            assembly {
                ptr := encoding.offset
                head := calldataload(ptr)
            }
            uint256 reducer = (head >> 240) & 0xff;
            uint256 rankO = (head >> 232) & 0xff;
            uint256 rankK = (head >> 224) & 0xff;
            uint256 nConst = (head >> 216) & 0xff;
            uint256 nMap = (head >> 208) & 0xff;
            uint256 nPost = (head >> 200) & 0xff;
            uint256 nDyn = (head >> 192) & 0xff;
            uint256 bad;
            assembly {
                bad := or(gt(encoding.length, MAX_ENCODED), gt(shr(248, head), DTYPE_I64))
                bad := or(or(bad, gt(reducer, REDUCER_ARGMAX)), or(gt(rankO, MAX_RANK), gt(rankK, MAX_RANK)))
                // nMap = 0 becomes the greatest number
                bad := or(or(bad, gt(nConst, MAX_CONSTANTS)), iszero(lt(sub(nMap, 1), MAX_OPS)))
                bad := or(bad, or(gt(nPost, MAX_OPS), gt(nDyn, MAX_DYNAMICS)))
            }
            if (bad != 0) return false;
            code.dtype = head >> 248;
            code.reducer = reducer;
            code.rankO = rankO;
            code.rankK = rankK;
            code.nConst = nConst;
            code.nMap = nMap;
            code.nPost = nPost;

            uint256 extents = ptr + 8;
            uint256 split = extents + 4 * rankO;
            uint256 dynamics = split + 4 * rankK;
            uint256 constants = dynamics + 16 * nDyn;
            code.extents = extents;
            code.dynamics = dynamics;
            code.constants = constants;
            if (!_caps(dynamics, constants)) return false;
            uint256 terms = _bounds(split, dynamics, dynamics, nDyn);
            if (
                _bounds(extents, split, dynamics, nDyn) > MAX_ELEMENTS
                    || terms > (reducer == REDUCER_ARGMAX ? ARGMAX_TERMS - 1 : MAX_ELEMENTS)
            ) return false;

            ptr = constants + 8 * nConst;
            code.mapOps = ptr;
            ptr = _program(ptr, nMap, SLOT_CONST + nConst, nDyn, counts);
            if (ptr == 0) return false;
            code.postOps = ptr;
            ptr = _program(ptr, nPost, SLOT_CONST + nConst, nDyn, counts);
            assembly {
                ok := eq(ptr, add(encoding.offset, encoding.length))
            }
        }
    }

    /// @notice The extent that a word means at iteration `tau`: itself, or min(max(a + b·tau, 0), cap) of a dynamic one.
    function extent(Code memory code, uint256 word, int256 tau) internal pure returns (uint256 value) {
        if (word < EXTENT_LIMIT) return word;
        uint256 dynamics = code.dynamics;
        assembly {
            let dynamic := calldataload(add(dynamics, shl(4, xor(word, EXTENT_LIMIT))))
            let cap := and(shr(128, dynamic), 0xffffffff)
            value := add(sar(192, dynamic), mul(signextend(3, shr(160, dynamic)), tau))
            value := mul(value, sgt(value, 0))
            if gt(value, cap) { value := cap }
        }
    }

    /// @notice The extent whose word stands at calldata place `place`, at iteration `tau`.
    function extentAt(Code memory code, uint256 place, int256 tau) internal pure returns (uint256 value) {
        assembly {
            value := shr(224, calldataload(place))
        }
        if (value >= EXTENT_LIMIT) value = extent(code, value, tau);
    }

    /// @notice Product of the extents whose words stand in [place, end), at iteration `tau`; at most 2^40 of either domain.
    function product(Code memory code, uint256 place, uint256 end, int256 tau) internal pure returns (uint256 size) {
        unchecked {
            size = 1;
            for (; place < end; place += 4) size *= extentAt(code, place, tau);
        }
    }

    /// @dev Whether the caps of all dynamic extents in [place, end) are below 2^31.
    function _caps(uint256 place, uint256 end) private pure returns (bool ok) {
        assembly {
            let high := 0
            for {} lt(place, end) { place := add(place, 0x10) } { high := or(high, calldataload(place)) }
            ok := iszero(and(shr(128, high), EXTENT_LIMIT))
        }
    }

    /// @dev Product of the bounds of the extent words in [place, end); above every limit if one names no dynamic extent.
    /// Eight factors below 2^31 give less than 2^248.
    function _bounds(uint256 place, uint256 end, uint256 dynamics, uint256 nDyn) private pure returns (uint256 size) {
        assembly {
            size := 1
            for {} lt(place, end) { place := add(place, 4) } {
                let bound := shr(224, calldataload(place))
                if gt(bound, 0x7fffffff) {
                    let which := and(bound, 0x7fffffff)
                    if iszero(lt(which, nDyn)) {
                        size := not(0)
                        break
                    }
                    bound := and(shr(128, calldataload(add(dynamics, shl(4, which)))), 0xffffffff)
                }
                size := mul(size, bound)
            }
        }
    }

    /// @dev Checks `count` operations, the first of which has slot `self`; gives the place after them, or 0 if one is malformed.
    function _program(uint256 ptr, uint256 count, uint256 self, uint256 nDyn, uint256 counts)
        private
        pure
        returns (uint256 next)
    {
        assembly {
            let loads := 0
            for { let end := add(self, count) } lt(self, end) { self := add(self, 1) } {
                let word := calldataload(ptr)
                let most := sub(self, 1) // the greatest operand
                let bad
                switch shr(248, word)
                case 0 {
                    // OP_LOAD: kind ≤ 3, rank ≤ 8, byte 3 is 0, src below the count that stands at bit 32, 0, 64, 64 of `counts`
                    let kind := byte(1, word)
                    let rank := byte(2, word)
                    loads := add(loads, 1)
                    bad := or(and(shr(224, word), 0xfc00ff), or(gt(rank, MAX_RANK), gt(loads, MAX_LOADS)))
                    let sources := and(shr(byte(add(kind, 28), 0x20004040), counts), 0xffffffff)
                    if or(bad, iszero(lt(and(shr(192, word), 0xffffffff), sources))) {
                        ptr := 0
                        break
                    }
                    ptr := add(ptr, 0x10)
                    let axes := add(ptr, shl(5, rank))
                    if eq(kind, 3) {
                        // the iteration word comes first, with the extent 0
                        bad := and(shr(160, calldataload(ptr)), 0xffffffff)
                        axes := add(axes, 0x20)
                    }
                    for {} lt(ptr, axes) { ptr := add(ptr, 0x20) } {
                        word := calldataload(ptr)
                        // a literal extent, or the number of a dynamic one
                        if and(word, shl(160, EXTENT_LIMIT)) {
                            bad := or(bad, iszero(lt(and(shr(160, word), 0x7fffffff), nDyn)))
                        }
                        // zero terms stand at the end, so what is left after the last used term is 0 as a whole
                        for { word := shl(96, word) } word { word := shl(40, word) } {
                            // slot ≥ self or coef = 0
                            bad := or(bad, or(gt(shr(248, word), most), lt(shl(8, word), shl(224, 1))))
                        }
                    }
                }
                default {
                    // a < self; b < self or 0 beyond the arity; c likewise. Every operation reads one operand at least, opcodes that are
                    // none read 0 by the table.
                    let arity := and(shr(shl(1, shr(248, word)), OP_ARITIES), 3)
                    bad := or(
                        iszero(lt(byte(1, word), mul(self, gt(arity, 0)))),
                        or(gt(byte(2, word), mul(most, gt(arity, 1))), gt(byte(3, word), mul(most, gt(arity, 2))))
                    )
                    ptr := add(ptr, 4)
                }
                if bad {
                    ptr := 0
                    break
                }
            }
            next := ptr
        }
    }
}
