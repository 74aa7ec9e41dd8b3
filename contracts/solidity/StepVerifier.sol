// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IStepVerifier, Job} from "./IStepVerifier.sol";
import {Code, Decode} from "./step/Decode.sol";
import "./step/Errors.sol";
import "./step/Isa.sol";
import {Machine, Memory} from "./step/Machine.sol";
import {Reduce} from "./step/Reduce.sol";
import {Witness} from "./step/Witness.sol";

/// @title The stateless verifier of one step: docs/SPEC.md §6.
/// @notice Every question has one right answer, which depends on the committed roots alone; a witness can only be complete or refused.
/// No data of the program or its tensors can make it revert: only a bad job, element, slice or witness does.
contract StepVerifier is IStepVerifier {
    /// @notice The value of element `e` of value (t, i).
    function element(Job calldata job, uint64 e, bytes calldata instruction, bytes calldata witness)
        external
        pure
        returns (int64)
    {
        (Machine[] memory machines, uint256 terms) = _open(job, e, instruction, witness);
        Machine memory m = machines[0];
        uint256 reducer = m.code.reducer;
        int256 acc = terms == 0 ? Reduce.empty(reducer) : Reduce.accumulate(reducer, Reduce.slice(m, 0, terms));
        acc = Reduce.post(m, acc);
        Reduce.release(m);
        return int64(acc);
    }

    /// @notice The partial of the terms [k0, k1) of element `e`.
    function slice(Job calldata job, uint64 e, uint64 k0, uint64 k1, bytes calldata instruction, bytes calldata witness)
        external
        pure
        returns (int128)
    {
        (Machine[] memory machines, uint256 terms) = _open(job, e, instruction, witness);
        Machine memory m = machines[0];
        if (k0 >= k1 || k1 > terms) revert SliceOutOfRange();
        int256 total = Reduce.slice(m, k0, k1);
        Reduce.release(m);
        return int128(total);
    }

    /// @notice The value of element `e` if the partial of all its terms is `acc`.
    function post(Job calldata job, uint64 e, int128 acc, bytes calldata instruction, bytes calldata witness)
        external
        pure
        returns (int64)
    {
        (Machine[] memory machines, uint256 terms) = _open(job, e, instruction, witness);
        Machine memory m = machines[0];
        if (terms == 0) revert SliceOutOfRange();
        int256 value = Reduce.post(m, Reduce.accumulate(m.code.reducer, acc));
        Reduce.release(m);
        return int64(value);
    }

    /// @notice What the header of value (t, i) must say, and how many terms each of its elements has.
    /// @param witness the instruction's siblings alone.
    function shape(
        bytes32 programRoot,
        uint256 counts,
        uint64 t,
        uint32 i,
        bytes calldata instruction,
        bytes calldata witness
    ) external pure returns (uint8 dtype, uint64 elements, uint64 terms) {
        Code memory code;
        (bool ok, uint256 cursor) = _decode(code, programRoot, counts, i, instruction, witness);
        _finish(witness, cursor);
        if (!ok) return (uint8(DTYPE_I64), 0, 0);
        (uint256 size, uint256 depth) = _sizes(code, t);
        return (uint8(code.dtype), uint64(size), uint64(depth));
    }

    /// @dev Verifies the whole witness and makes a machine ready for element `e`.
    /// @return machines its only entry is the machine.
    /// @return terms K at this iteration.
    function _open(Job calldata job, uint256 e, bytes calldata instruction, bytes calldata witness)
        private
        pure
        returns (Machine[] memory machines, uint256 terms)
    {
        unchecked {
            machines = Memory.create();
            Machine memory m = machines[0];
            uint256 counts = job.counts;
            uint256 width = uint32(counts >> 64);
            uint256 length = job.T;
            uint256 t = job.t;
            uint256 i = job.i;
            if (t >= length || length * width > MAX_ELEMENTS) revert OutsideRun();
            bool ok;
            uint256 cursor;
            (ok, cursor) = _decode(m.code, job.programRoot, counts, i, instruction, witness);
            if (!ok) revert ElementOutOfRange();
            m.t = t;
            m.instructions = width;
            m.leaf = t * width + i;
            uint256 elements;
            (elements, terms) = _sizes(m.code, t);
            if (e >= elements) revert ElementOutOfRange();
            uint256 consts;
            uint256 inputs;
            uint256 values;
            (consts, cursor) = Witness.open(0, job.constsRoot, uint32(counts >> 32), cursor);
            (inputs, cursor) = Witness.open(1, job.inputRoot, uint32(counts), cursor);
            (values, cursor) = Witness.open(2, job.traceRoot, length * width, cursor);
            m.tables = consts | (inputs << 32) | (values << 64);
            _finish(witness, cursor);
            Reduce.prepare(m, e);
        }
    }

    /// @dev Verifies the instruction and decodes it into `code`; gives the place in the witness after its siblings.
    function _decode(
        Code memory code,
        bytes32 programRoot,
        uint256 counts,
        uint256 i,
        bytes calldata instruction,
        bytes calldata witness
    ) private pure returns (bool ok, uint256 cursor) {
        uint256 width = uint32(counts >> 64);
        if (i >= width) revert OutsideRun();
        assembly {
            cursor := witness.offset
        }
        cursor = Witness.instruction(instruction, i, width, programRoot, cursor);
        ok = Decode.decode(code, instruction, counts);
    }

    /// @dev E(t) and K(t).
    function _sizes(Code memory code, uint256 t) private pure returns (uint256 elements, uint256 terms) {
        unchecked {
            uint256 split = code.extents + 4 * code.rankO;
            elements = Decode.product(code, code.extents, split, int256(t));
            terms = Decode.product(code, split, code.dynamics, int256(t));
        }
    }

    /// @dev Nothing of the witness may be left over or lacking.
    function _finish(bytes calldata witness, uint256 cursor) private pure {
        uint256 end;
        assembly {
            end := add(witness.offset, witness.length)
        }
        if (cursor != end) revert WitnessLength();
    }
}
