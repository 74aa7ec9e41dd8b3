// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BadHeader} from "./Errors.sol";
import {MAX_COUNT} from "./Types.sol";

/// @dev Tensors of types 0 … 4: u8, i8, i16, i32, i64 (SPEC §1).
library Tensor {
    uint256 internal constant MAX_DTYPE = 4;
    uint256 internal constant LEAF = 256;

    /// @dev log2 of the bytes of an element.
    function sizeLog2(uint256 dtype) internal pure returns (uint256) {
        unchecked {
            return dtype < 2 ? 0 : dtype - 1;
        }
    }

    /// @dev Number of 256-byte leaves.
    function leaves(uint256 dtype, uint256 elements) internal pure returns (uint256) {
        unchecked {
            return ((elements << sizeLog2(dtype)) + LEAF - 1) >> 8;
        }
    }

    /// @dev The leaf that holds element `e`.
    function leafOf(uint256 dtype, uint256 e) internal pure returns (uint256) {
        unchecked {
            return (e << sizeLog2(dtype)) / LEAF;
        }
    }

    /// @dev The limits of a header that anything is read from.
    function requireLimits(uint256 dtype, uint256 elements) internal pure {
        if (dtype > MAX_DTYPE || elements > MAX_COUNT) revert BadHeader();
    }

    function leafHash(bytes32[8] calldata data) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let ptr := mload(0x40)
            calldatacopy(ptr, data, 256)
            hash := keccak256(ptr, 256)
        }
    }

    /// @dev Whether the bytes of leaf `index` past the tensor's last element are 0.
    function padded(bytes32[8] calldata data, uint256 index, uint256 dtype, uint256 elements) internal pure returns (bool) {
        unchecked {
            uint256 used = (elements << sizeLog2(dtype)) - index * LEAF;
            if (used >= LEAF) return true;
            uint256 word = used / 32;
            if (uint256(data[word]) << (8 * (used % 32)) != 0) return false;
            while (++word < 8) {
                if (data[word] != 0) return false;
            }
            return true;
        }
    }

    /// @dev Element `e` out of the leaf that holds it: little-endian, two's complement.
    function element(bytes32[8] calldata data, uint256 dtype, uint256 e) internal pure returns (int256 value) {
        unchecked {
            uint256 size = 1 << sizeLog2(dtype);
            uint256 offset = (e * size) % LEAF;
            uint256 word = uint256(data[offset / 32]) << (8 * (offset % 32));
            uint256 raw;
            for (uint256 i = 0; i < size; ++i) {
                raw |= ((word >> 248) & 0xff) << (8 * i);
                word <<= 8;
            }
            if (dtype == 0) return int256(raw);
            assembly ("memory-safe") {
                value := signextend(sub(size, 1), raw)
            }
        }
    }
}
