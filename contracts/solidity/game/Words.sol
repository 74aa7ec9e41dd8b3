// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev Fields packed into one word, most significant first. `below` is the number of bits below the field.
library Words {
    /// @dev Reads `bits` bits.
    function get(uint256 word, uint256 below, uint256 bits) internal pure returns (uint256) {
        return (word >> below) & ((1 << bits) - 1);
    }

    /// @dev Writes `bits` bits; the caller's ranges make `value < 2^bits`.
    function put(uint256 word, uint256 below, uint256 bits, uint256 value) internal pure returns (uint256) {
        return (word & ~(((1 << bits) - 1) << below)) | (value << below);
    }
}
