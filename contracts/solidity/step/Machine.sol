// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Code} from "./Decode.sol";

/// @notice The state of an evaluation. A `map` program is interpreted once for a *run*: `terms` successive terms in which only one
/// reduction coordinate, `inner`, moves, by 1 each term.
/// @dev The register file has a word for each slot. A slot whose bit is clear in `arrays` holds the same value for all terms of the run;
/// one whose bit is set holds the place of an array of `terms` values, 32 bytes each. The slot `inner` is neither while its bit is
/// clear: its value at term `j` is the word plus `j`.
struct Machine {
    /// Place of the register file.
    uint256 registers;
    /// Which slots hold arrays.
    uint256 arrays;
    /// Which arrays hold only values of the i32 range.
    uint256 narrow;
    /// The slot of the moving coordinate, or NO_SLOT.
    uint256 inner;
    /// Terms of the run.
    uint256 terms;
    /// Place of the array of the first operation's slot; those of the next ones follow, `arraySize` bytes each.
    uint256 arrayBase;
    uint256 arraySize;
    /// The slot of the first operation.
    uint256 firstSlot;
    /// The instruction.
    Code code;
    /// The iteration, the number of instructions, the number of the present trace leaf.
    uint256 t;
    uint256 instructions;
    uint256 leaf;
    /// Opened tensors of the three tables.
    uint256[3] tables;
}

/// @dev Above every slot: a moving coordinate that no operand names.
uint256 constant NO_SLOT = 255;
