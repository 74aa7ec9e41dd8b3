// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {BadInputs, BadLength, BadModel, UnknownModel, UnknownTask} from "./Errors.sol";
import {Tensor} from "./Tensor.sol";
import {Tiers} from "./Tiers.sol";
import {Tree} from "./Tree.sol";
import {MAX_COUNT, MAX_INSTRUCTIONS, NO_HALT, Task} from "./Types.sol";
import {Words} from "./Words.sol";

/// @dev N:32 | nConsts:32 | nInputs:32 | out:32 | halt:32, in the low 160 bits; in a task's slot with maxT:48 | tier:8 above.
type Header is uint256;

using HeaderLib for Header global;

library HeaderLib {
    using Words for uint256;

    function N(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(128, 32);
    }

    function inputs(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(64, 32);
    }

    /// @dev N:32 | nConsts:32 | nInputs:32, as the step verifier takes them.
    function counts(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(64, 96);
    }

    function out(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(32, 32);
    }

    function halt(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(0, 32);
    }

    function maxT(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(160, 48);
    }

    function tier(Header h) internal pure returns (uint256) {
        return Header.unwrap(h).get(208, 8);
    }

    /// @dev The header of a task: `maxT ≤ 2^40`.
    function forTask(Header h, uint256 maxT_, uint256 tier_) internal pure returns (Header) {
        return Header.wrap((tier_ << 208) | (maxT_ << 160) | Header.unwrap(h));
    }
}

/// @dev What moves need of a model.
struct Model {
    Header header;
    bytes32 inputsHash;
}

/// @dev Name of a model (SPEC §4). The header's low 160 bits are its counts, output and halt in the order of the preimage.
function modelRootOf(bytes32 programRoot, bytes32 constsRoot, Header header, bytes32 inputsHash) pure returns (bytes32 root) {
    // keccak256(abi.encodePacked(uint8(1), programRoot, constsRoot, uint160(header), inputsHash))
    assembly ("memory-safe") {
        let free := mload(0x40)
        mstore8(free, 1)
        mstore(add(free, 1), programRoot)
        mstore(add(free, 33), constsRoot)
        mstore(add(free, 65), shl(96, header))
        mstore(add(free, 85), inputsHash)
        root := keccak256(free, 117)
    }
}

/// @dev Models and tasks, both named by value.
abstract contract Registry is Tiers {
    event ModelRegistered(
        bytes32 indexed modelRoot, bytes32 programRoot, bytes32 constsRoot, Header header, bytes inputHeaders
    );
    event TaskOpened(bytes32 indexed taskId, bytes32 indexed modelRoot, Task task, bytes[] inputs);

    mapping(bytes32 modelRoot => Model) internal models;
    mapping(bytes32 taskId => Header) internal tasks;

    /// @notice Makes a model known (SPEC §4); doing it again changes nothing. `inputHeaders` is dtype:u8 ‖ elements:u64 for every input.
    function registerModel(
        bytes32 programRoot,
        bytes32 constsRoot,
        uint32 N,
        uint32 nConsts,
        uint32 out,
        uint32 halt,
        bytes calldata inputHeaders
    ) external returns (bytes32 modelRoot) {
        uint256 nInputs = inputHeaders.length / 9;
        if (N > MAX_INSTRUCTIONS || out >= N || (halt != NO_HALT && halt >= N)) revert BadModel();
        if (nInputs * 9 != inputHeaders.length || nInputs > type(uint32).max) revert BadModel();
        for (uint256 j = 0; j < nInputs; ++j) {
            (uint256 dtype, uint256 elements) = _inputHeader(inputHeaders, j);
            if (dtype > Tensor.MAX_DTYPE || elements > MAX_COUNT) revert BadModel();
        }
        bytes32 inputsHash = keccak256(inputHeaders);
        Header header = Header.wrap(
            (uint256(N) << 128) | (uint256(nConsts) << 96) | (nInputs << 64) | (uint256(out) << 32) | halt
        );
        modelRoot = modelRootOf(programRoot, constsRoot, header, inputsHash);
        models[modelRoot] = Model(header, inputsHash);
        emit ModelRegistered(modelRoot, programRoot, constsRoot, header, inputHeaders);
    }

    /// @notice Opens a task on posted inputs: the contract computes the input root itself, so its preimage is public.
    function openTask(bytes32 modelRoot, uint64 maxT, uint8 tier, bytes calldata inputHeaders, bytes[] calldata inputs)
        external
        returns (bytes32 taskId)
    {
        Model storage model = models[modelRoot];
        if (keccak256(inputHeaders) != model.inputsHash) revert BadInputs();
        uint256 count = model.header.inputs();
        if (inputs.length != count) revert BadInputs();
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 j = 0; j < count; ++j) {
            (uint256 dtype, uint256 elements) = _inputHeader(inputHeaders, j);
            if (inputs[j].length != elements << Tensor.sizeLog2(dtype)) revert BadInputs();
            leaves[j] = Merkle.header(dtype, elements, Merkle.tensorRoot(inputs[j]));
        }
        Task memory task = Task(modelRoot, Tree.root(leaves), maxT, tier, address(0));
        taskId = _open(task);
        emit TaskOpened(taskId, modelRoot, task, inputs);
    }

    /// @notice Opens a task whose input root the sender answers for: it is the sender's own task, another's of the same root is not.
    function requestTask(bytes32 modelRoot, bytes32 inputRoot, uint64 maxT, uint8 tier)
        external
        returns (bytes32 taskId)
    {
        Task memory task = Task(modelRoot, inputRoot, maxT, tier, msg.sender);
        taskId = _open(task);
        emit TaskOpened(taskId, modelRoot, task, new bytes[](0));
    }

    /// @notice A task's name.
    function taskIdOf(Task memory task) public pure returns (bytes32 id) {
        // keccak256(abi.encode(task)): five words, as they stand in memory.
        assembly ("memory-safe") {
            id := keccak256(task, 0xa0)
        }
    }

    /// @notice What is stored of a model.
    function modelOf(bytes32 modelRoot) external view returns (Model memory) {
        return models[modelRoot];
    }

    /// @notice The header of an open task, 0 of any other.
    function taskOf(bytes32 taskId) external view returns (Header) {
        return tasks[taskId];
    }

    /// @dev The header of a task, which must be open.
    function _task(bytes32 taskId) internal view returns (Header header) {
        header = tasks[taskId];
        if (Header.unwrap(header) == 0) revert UnknownTask();
    }

    function _open(Task memory task) private returns (bytes32 taskId) {
        Header header = models[task.modelRoot].header;
        if (header.N() == 0) revert UnknownModel();
        if (task.maxT == 0 || task.maxT * header.N() > MAX_COUNT) revert BadLength();
        _requireTier(task.tier);
        taskId = taskIdOf(task);
        tasks[taskId] = header.forTask(task.maxT, task.tier);
    }

    function _inputHeader(bytes calldata headers, uint256 j) private pure returns (uint256 dtype, uint256 elements) {
        uint256 word = uint256(bytes32(headers[9 * j:]));
        return (word >> 248, uint64(word >> 184));
    }
}
