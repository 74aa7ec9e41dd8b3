// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Range} from "./State.sol";

/// @dev Partials of a range of terms: signed, big-endian, all of one width from 1 to 16 bytes (SPEC §7.1).
library Partials {
    // Reducers that are not an extreme (SPEC §3.1); argmax's partials combine by max.
    uint256 private constant SUM = 0;
    uint256 private constant MIN = 2;

    /// @dev Number of parts of a range.
    function count(Range r, uint256 arityLog2) internal pure returns (uint256) {
        unchecked {
            uint256 n = r.k1() - r.k0();
            return n < 1 << arityLog2 ? n : 1 << arityLog2;
        }
    }

    /// @dev Part `j < m` of a range of at least `m` and at most 2^40 terms.
    function part(Range r, uint256 m, uint256 j) internal pure returns (uint256 k0, uint256 k1) {
        unchecked {
            uint256 n = r.k1() - r.k0();
            return (r.k0() + j * n / m, r.k0() + (j + 1) * n / m);
        }
    }

    /// @dev Whether bytes hold `m` partials of one width, from 1 to 16 bytes.
    function fit(bytes calldata partials, uint256 m) internal pure returns (bool) {
        unchecked {
            uint256 width = partials.length / m;
            return width - 1 < 16 && width * m == partials.length;
        }
    }

    /// @dev Partial `j < m`: the signed number in its `partials.length / m` bytes.
    function get(bytes calldata partials, uint256 m, uint256 j) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            let width := div(partials.length, m)
            value := sar(sub(256, shl(3, width)), calldataload(add(partials.offset, mul(width, j))))
        }
    }

    /// @dev ⊕ of `m`, one to 64, partials, exactly: below 2^133. As `get`, one after another.
    function combine(bytes calldata partials, uint256 m, uint256 reducer) internal pure returns (int256 whole) {
        assembly ("memory-safe") {
            let width := div(partials.length, m)
            let drop := sub(256, shl(3, width))
            let place := partials.offset
            let end := add(place, partials.length)
            whole := sar(drop, calldataload(place))
            place := add(place, width)
            switch reducer
            case 0 {
                for {} lt(place, end) { place := add(place, width) } {
                    whole := add(whole, sar(drop, calldataload(place)))
                }
            }
            default {
                // min: an x is below the least iff −1 − x is above −1 − least; so flip the bits and take the maximum.
                let flip := sub(0, eq(reducer, MIN))
                whole := xor(whole, flip)
                for {} lt(place, end) { place := add(place, width) } {
                    let next := xor(sar(drop, calldataload(place)), flip)
                    if sgt(next, whole) { whole := next }
                }
                whole := xor(whole, flip)
            }
        }
    }
}
