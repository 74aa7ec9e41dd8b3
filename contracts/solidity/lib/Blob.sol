// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev Bytes kept as the code of a contract behind a STOP, which costs a third of storage slots.
library Blob {
    error BlobTooLarge();

    /// @dev What fits a contract's code (EIP-170), less the STOP.
    uint256 internal constant MAX = 24_575;

    function store(bytes memory data) internal returns (address at_) {
        if (data.length > MAX) revert BlobTooLarge();
        // PUSH2 size, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN; the copied code begins with a STOP.
        bytes memory code =
            abi.encodePacked(hex"61", uint16(data.length + 1), hex"80600a5f395ff3", hex"00", data);
        assembly ("memory-safe") {
            at_ := create(0, add(code, 32), mload(code))
        }
        if (at_ == address(0)) revert BlobTooLarge();
    }

    function load(address at_) internal view returns (bytes memory data) {
        uint256 size = at_.code.length;
        if (size == 0) return "";
        data = new bytes(size - 1);
        assembly ("memory-safe") {
            extcodecopy(at_, add(data, 32), 1, sub(size, 1))
        }
    }
}
