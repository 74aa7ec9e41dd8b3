// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Range} from "./State.sol";

/// @dev Partials of a range of terms: i128, big-endian, 16 bytes each (SPEC §7.1).
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

    /// @dev Partial `j < partials.length / 16`.
    function get(bytes calldata partials, uint256 j) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(128, calldataload(add(partials.offset, shl(4, j))))
        }
    }

    /// @dev ⊕ of one to 64 partials, exactly: below 2^133.
    function combine(bytes calldata partials, uint256 reducer) internal pure returns (int256 whole) {
        unchecked {
            uint256 m = partials.length / 16;
            whole = get(partials, 0);
            if (reducer == SUM) {
                for (uint256 j = 1; j < m; ++j) {
                    whole += get(partials, j);
                }
                return whole;
            }
            bool min = reducer == MIN;
            for (uint256 j = 1; j < m; ++j) {
                int256 next = get(partials, j);
                if (min ? next < whole : next > whole) whole = next;
            }
        }
    }
}
