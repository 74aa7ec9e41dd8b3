// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev What a step is about (SPEC §6.1).
struct Job {
    bytes32 programRoot;
    bytes32 constsRoot;
    bytes32 inputRoot;
    bytes32 traceRoot;
    uint256 counts; // N:32 | nConsts:32 | nInputs:32
    uint64 T;
    uint64 t;
    uint32 i;
}

/// @notice Recomputes one step of a program. A question that has no answer, or a witness that does not verify, reverts.
interface IStepVerifier {
    /// @notice The value of element `e` of value (t, i).
    function element(Job calldata job, uint64 e, bytes calldata instruction, bytes calldata witness)
        external
        view
        returns (int64);

    /// @notice The partial of terms [k0, k1) of element `e`.
    function slice(Job calldata job, uint64 e, uint64 k0, uint64 k1, bytes calldata instruction, bytes calldata witness)
        external
        view
        returns (int128);

    /// @notice The value of element `e` if its whole reduction gives the partial `acc`.
    function post(Job calldata job, uint64 e, int128 acc, bytes calldata instruction, bytes calldata witness)
        external
        view
        returns (int64);

    /// @notice Type, number of elements and number of terms of value (t, i); (4, 0, 0) for a malformed instruction.
    /// `siblings` open the instruction in the program tree, 32 bytes each.
    function shape(
        bytes32 programRoot,
        uint256 counts,
        uint64 t,
        uint32 i,
        bytes calldata instruction,
        bytes calldata siblings
    ) external view returns (uint8 dtype, uint64 elements, uint64 terms);
}
