// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Code} from "./Decode.sol";

using Memory for Machine global;

/// @notice The state of an evaluation. A `map` program is interpreted once for a *run*: `terms` successive terms in which only one
/// reduction coordinate, `inner`, moves, by 1 each term.
/// @dev The register file has a word for each slot. A slot whose bit is clear in `arrays` holds the same value for all terms of the run;
/// one whose bit is set holds the place of an array of `terms` values, 32 bytes each. A slot of `moving` that is not in `arrays` is lazy: see
/// `Lazy`.
struct Machine {
    /// The instruction. The first field: see `create`.
    Code code;
    /// Place of the register file.
    uint256 registers;
    /// Which slots hold arrays.
    uint256 arrays;
    /// Which slots differ from term to term.
    uint256 moving;
    /// Which arrays hold only values of the i32 range.
    uint256 narrow;
    /// The slot of the moving coordinate, or NO_SLOT.
    uint256 inner;
    /// Terms of the run.
    uint256 terms;
    /// Place of the first array of a run, and of the next one.
    uint256 arrayBase;
    uint256 nextArray;
    /// The slot of the first operation.
    uint256 firstSlot;
    /// Place of the reduction extents at the present iteration, a word each.
    uint256 extents;
    /// The iteration, the number of instructions, the number of the present trace leaf.
    uint256 t;
    uint256 instructions;
    uint256 leaf;
    /// First records of the three tables, 32 bits each: place of table 0 | place of table 1 << 32 | place of table 2 << 64.
    uint256 tables;
    /// The source of the present load: the iteration at which its view is taken, table, index in it, record (0: not looked up yet).
    int256 tau;
    uint256 table;
    uint256 index;
    uint256 record;
}

/// @dev Memory of the two structs: a word for each field.
uint256 constant MACHINE_BYTES = 32 * 19;
uint256 constant CODE_BYTES = 32 * 12;
/// @dev Above every slot: a moving coordinate that no operand names.
uint256 constant NO_SLOT = 255;
/// @dev Words after an array that filling it may overwrite.
uint256 constant SLACK = 7;

/// @title Places in a machine's memory.
library Memory {
    /// @notice A machine all of whose fields are 0; the first thing of a call.
    /// @dev As the only entry of an array, whose variables are mere places: a variable of a struct gets a struct of its own, written field by
    /// field. In a call that has written no memory all of it is 0.
    function create() internal pure returns (Machine[] memory machines) {
        assembly ("memory-safe") {
            machines := mload(0x40)
            let m := add(machines, 0x40)
            let code := add(m, MACHINE_BYTES)
            mstore(machines, 1)
            mstore(add(machines, 0x20), m)
            mstore(m, code)
            mstore(0x40, add(code, CODE_BYTES))
        }
    }

    /// @notice Room for an array of the present run, until the run ends.
    function newArray(Machine memory m) internal pure returns (uint256 place) {
        unchecked {
            place = m.nextArray;
            m.nextArray = place + 32 * (m.terms + SLACK);
        }
    }

    /// @notice The word of a slot.
    function read(Machine memory m, uint256 slot) internal pure returns (uint256 value) {
        uint256 registers = m.registers;
        assembly ("memory-safe") {
            value := mload(add(registers, shl(5, slot)))
        }
    }

    /// @notice Writes the word of a slot.
    function write(Machine memory m, uint256 slot, uint256 value) internal pure {
        uint256 registers = m.registers;
        assembly ("memory-safe") {
            mstore(add(registers, shl(5, slot)), value)
        }
    }

    /// @notice Makes a slot hold an array.
    function writeArray(Machine memory m, uint256 slot, uint256 place) internal pure {
        write(m, slot, place);
        m.arrays |= 1 << slot;
        m.moving |= 1 << slot;
    }
}
