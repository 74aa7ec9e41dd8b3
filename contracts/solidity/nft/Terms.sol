// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev What a collection is.
struct CollectionTerms {
    string name;
    string symbol;
    uint96 royalty; // in 1/10,000 of a sale
    uint64 callbackGas; // of the oracle's callback, which stores the model's output
}
