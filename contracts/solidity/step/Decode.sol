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
    /// @notice Reads and checks a whole encoding.
    /// @param nConsts length of the table that loads of kind 0 choose from; `nInputs` likewise for kind 1, `nInstructions` for 2 and 3.
    /// @return code meaningless unless `ok`.
    /// @return ok whether the bytes are well-formed. Bytes read past their end may be anything: the length is compared at the end.
    function decode(bytes calldata encoding, uint256 nConsts, uint256 nInputs, uint256 nInstructions)
        internal
        pure
        returns (Code memory code, bool ok)
    {
        unchecked {
            uint256 ptr;
            uint256 head;
            assembly {
                ptr := encoding.offset
                head := shr(192, calldataload(ptr))
            }
            code.dtype = head >> 56;
            code.reducer = (head >> 48) & 0xff;
            code.rankO = (head >> 40) & 0xff;
            code.rankK = (head >> 32) & 0xff;
            code.nConst = (head >> 24) & 0xff;
            code.nMap = (head >> 16) & 0xff;
            code.nPost = (head >> 8) & 0xff;
            uint256 nDyn = head & 0xff;
            if (
                encoding.length > MAX_ENCODED || code.dtype > DTYPE_I64 || code.reducer > REDUCER_ARGMAX
                    || code.rankO > MAX_RANK || code.rankK > MAX_RANK || code.nConst > MAX_CONSTANTS
                    || code.nMap == 0 || code.nMap > MAX_OPS || code.nPost > MAX_OPS || nDyn > MAX_DYNAMICS
            ) return (code, false);

            code.extents = ptr + 8;
            code.dynamics = code.extents + 4 * (code.rankO + code.rankK);
            code.constants = code.dynamics + 16 * nDyn;
            code.mapOps = code.constants + 8 * code.nConst;
            if (!_domains(code, nDyn)) return (code, false);

            uint256[3] memory counts = [nConsts, nInputs, nInstructions];
            code.postOps = _program(code.mapOps, code.nMap, code.nConst, nDyn, counts);
            if (code.postOps == 0) return (code, false);
            ptr = _program(code.postOps, code.nPost, code.nConst, nDyn, counts);
            uint256 end;
            assembly {
                end := add(encoding.offset, encoding.length)
            }
            ok = ptr == end;
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

    /// @notice The `j`-th extent of the output and reduction extents, at iteration `tau`.
    function domainExtent(Code memory code, uint256 j, int256 tau) internal pure returns (uint256) {
        uint256 extents = code.extents;
        uint256 word;
        assembly {
            word := shr(224, calldataload(add(extents, shl(2, j))))
        }
        return extent(code, word, tau);
    }

    /// @notice Product of the extents `from` … `to − 1` at iteration `tau`; at most 2^40 of either domain.
    function product(Code memory code, uint256 from, uint256 to, int256 tau) internal pure returns (uint256 size) {
        unchecked {
            size = 1;
            for (uint256 j = from; j < to; ++j) size *= domainExtent(code, j, tau);
        }
    }

    /// @dev Dynamic caps below 2^31, dynamic extents that exist, products of the bounds in their limits.
    function _domains(Code memory code, uint256 nDyn) private pure returns (bool) {
        unchecked {
            uint256 place = code.dynamics;
            uint256 high;
            assembly {
                for { let end := add(place, shl(4, nDyn)) } lt(place, end) { place := add(place, 0x10) } {
                    high := or(high, calldataload(place))
                }
                high := and(shr(128, high), EXTENT_LIMIT)
            }
            if (high != 0) return false;
            uint256 split = code.extents + 4 * code.rankO;
            uint256 terms = _bounds(split, code.dynamics, code.dynamics, nDyn);
            return _bounds(code.extents, split, code.dynamics, nDyn) <= MAX_ELEMENTS && terms <= MAX_ELEMENTS
                && (code.reducer != REDUCER_ARGMAX || terms < ARGMAX_TERMS);
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

    /// @dev Checks `count` operations; gives the place after them, or 0 if one is malformed.
    function _program(uint256 ptr, uint256 count, uint256 nConst, uint256 nDyn, uint256[3] memory counts)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 self = SLOT_CONST + nConst;
            uint256 end = self + count;
            uint256 loads;
            for (; self < end; ++self) {
                uint256 word;
                assembly {
                    word := calldataload(ptr)
                }
                if (word >> 248 == OP_LOAD) {
                    if (++loads > MAX_LOADS) return 0;
                    ptr = _load(ptr, word, self, nDyn, counts);
                    if (ptr == 0) return 0;
                } else {
                    // a < self; b < self or 0 beyond the arity; c likewise. Every operation reads one operand at least.
                    uint256 bad;
                    assembly {
                        let op := shr(248, word)
                        let arity := and(shr(shl(1, op), OP_ARITIES), 3)
                        let more := sub(self, 1)
                        bad := or(
                            or(gt(op, OP_SELECT), iszero(lt(byte(1, word), self))),
                            or(
                                gt(byte(2, word), mul(more, gt(arity, 1))), gt(byte(3, word), mul(more, gt(arity, 2)))
                            )
                        )
                    }
                    if (bad != 0) return 0;
                    ptr += 4;
                }
            }
            return ptr;
        }
    }

    /// @dev Checks a load; gives the place after it, or 0 if it is malformed.
    function _load(uint256 ptr, uint256 word, uint256 self, uint256 nDyn, uint256[3] memory counts)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 kind = (word >> 240) & 0xff;
            uint256 rank = (word >> 232) & 0xff;
            uint256 src = (word >> 192) & 0xffffffff;
            if (kind > 3 || rank > MAX_RANK || (word >> 224) & 0xff != 0) return 0;
            if (src >= counts[kind > 2 ? 2 : kind]) return 0;
            ptr += 16;
            if (kind == 3) {
                if (!_axis(ptr, self, 0, true)) return 0;
                ptr += 32;
            }
            for (; rank != 0; --rank) {
                if (!_axis(ptr, self, nDyn, false)) return 0;
                ptr += 32;
            }
            return ptr;
        }
    }

    /// @dev Checks an axis word, or an iteration word, whose extent must be 0.
    function _axis(uint256 ptr, uint256 self, uint256 nDyn, bool iteration) private pure returns (bool ok) {
        // Zero terms stand at the end, so what is left after the last used term must be 0 as a whole.
        assembly {
            let word := calldataload(ptr)
            let bound := and(shr(160, word), 0xffffffff)
            switch iteration
            case 0 { ok := or(lt(bound, EXTENT_LIMIT), lt(and(bound, 0x7fffffff), nDyn)) }
            default { ok := iszero(bound) }
            for { let terms := shl(96, word) } terms { terms := shl(40, terms) } {
                ok := and(ok, and(lt(shr(248, terms), self), gt(and(shr(216, terms), 0xffffffff), 0)))
            }
        }
    }
}
