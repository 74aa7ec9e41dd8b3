// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Tensor} from "../game/Tensor.sol";
import {BadInput} from "./Errors.sol";

/// @dev A model's inputs, one after another in one string, as consumers send them.
library Inputs {
    /// @dev Cuts the string into the inputs that `headers` (dtype:u8 ‖ elements:u64 for each) describe.
    function split(bytes calldata input, bytes memory headers) internal pure returns (bytes[] memory inputs) {
        uint256 count = headers.length / 9;
        inputs = new bytes[](count);
        uint256 from = 0;
        for (uint256 j = 0; j < count; ++j) {
            uint256 to = from + _size(headers, j);
            if (to > input.length) revert BadInput();
            inputs[j] = input[from:to];
            from = to;
        }
        if (from != input.length) revert BadInput();
    }

    /// @dev Bytes of input `j`.
    function _size(bytes memory headers, uint256 j) private pure returns (uint256) {
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(add(headers, 32), mul(9, j)))
        }
        return uint256(uint64(word >> 184)) << Tensor.sizeLog2(word >> 248);
    }
}
