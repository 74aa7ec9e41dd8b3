// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev What a committee is paid and stands for. Times in seconds, amounts in wei.
struct Terms {
    uint8 tier; // of the claims that may ask for attention
    uint32 respond; // Δ: time to answer
    uint32 reveal; // d': time to open the trace after that
    uint96 deposit; // D of each member
    uint96 fee; // F_a of a claim, shared by those who answer right
    uint96 bond; // of the submitter, lost if it does not open its trace in time, or sells it before
    uint96 checkCost; // C: what one check costs a member
    uint96 answerCost; // g: what an answer costs in gas, at the capped price
}
