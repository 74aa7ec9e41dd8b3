// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev What is to be computed. `requester` is 0 if the inputs were posted to the contract, which then computed `inputRoot` itself.
struct Task {
    bytes32 modelRoot;
    bytes32 inputRoot;
    uint64 maxT;
    uint8 tier;
    address requester;
}

/// @dev What a task is made of besides its header, which the contract stores: enough to recompute its id (SPEC §8.1).
struct Parts {
    bytes32 programRoot;
    bytes32 constsRoot;
    bytes32 inputsHash;
    bytes32 inputRoot;
    address requester;
}

/// @dev What a submitter says of a task: a run of length `T` with an output of this hash.
struct Claim {
    bytes32 taskId;
    uint64 T;
    bytes32 outputHash;
    address submitter;
    uint64 nonce;
}

/// @dev An element `e` of the tensor at trace leaf `leaf`, down from a node of the trace or of the tensor.
struct Opening {
    uint64 leaf;
    uint8 dtype;
    uint64 elements;
    uint64 e;
    bytes32[8] data; // the tensor leaf that holds the element
    bytes32[] tensorPath; // siblings of `data` up to the tensor root or the disputed tensor node
    bytes32[] tracePath; // siblings of the header hash up to the disputed trace node
}

/// @dev The header at trace leaf `leaf`, down from a node of the trace; below that, only what the position says of it is given again.
struct HeaderOpening {
    uint64 leaf;
    uint8 dtype;
    uint64 elements;
    bytes32 tensorRoot;
    bytes32[] tracePath;
}

/// @dev What the submitter shows to open its trace (SPEC §7.3).
struct TraceOpening {
    uint8 dtype; // of the output
    bytes32[] children; // all real children of the trace root
    bytes32[] path; // siblings of the output's header hash up to one of `children`
    Opening[] halt; // T < maxT: element 0 of the halt value at T − 1; else nothing. Its path ends at one of `children`
}

/// @dev Parameters of the claims of a tier. Times in seconds, shares in 1/10,000, weights in units of 1,000 gas.
struct Tier {
    uint32 window; // W
    uint32 budget; // A, of each player
    uint32 traceTime; // TR
    uint32 delay; // d
    uint32 rootWindow; // W_root
    uint16 minBlocks;
    uint16 burnS; // β
    uint16 burnC; // β_c
    uint16 weightOpen;
    uint16 weightSelect;
    uint16 weightProve;
    uint8 arityLog2; // b
    uint96 bondS; // B_s, wei
    uint96 bondC; // B_c, wei
}

/// @dev The number for "no halt instruction".
uint32 constant NO_HALT = type(uint32).max;
/// @dev Most instructions of a model (SPEC §4).
uint32 constant MAX_INSTRUCTIONS = 1 << 24;
/// @dev Largest number of elements, of trace leaves, and of terms.
uint256 constant MAX_COUNT = 1 << 40;
/// @dev Where burnt value goes. Nobody has its key.
address constant BURN = 0x000000000000000000000000000000000000dEaD;
/// @dev Content of the slot of a dispute that is over.
bytes32 constant TOMBSTONE = bytes32(uint256(1));
