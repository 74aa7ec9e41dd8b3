// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice The job names no iteration or instruction of the run.
error OutsideRun();
/// @notice The instruction has no such element at this iteration.
error ElementOutOfRange();
/// @notice Not k0 < k1 ≤ K at this iteration; or a `post` without terms.
error SliceOutOfRange();
/// @notice The instruction's bytes and siblings do not fold to the program root.
error WrongInstruction();
/// @notice A table does not fold to its root, or lists something that cannot be in it (0 constants, 1 inputs, 2 trace).
error WrongTable(uint256 table);
/// @notice A needed tensor is not in its table.
error MissingTensor(uint256 table, uint256 index);
/// @notice A needed leaf of a tensor is not opened.
error MissingLeaf(uint256 index, uint256 position);
/// @notice The witness is too short or has bytes left over.
error WitnessLength();
