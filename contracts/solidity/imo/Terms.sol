// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CollectionTerms} from "../nft/Terms.sol";
import {Terms} from "../oracle/Listings.sol";
import {TokenTerms} from "../token/Terms.sol";

/// @dev The sale. Amounts of tokens in units of 10^-18, of ether in wei, times in seconds.
struct SaleTerms {
    uint256 price; // of 10^18 units
    uint256 cap; // most units that are sold
    uint256 softCap; // fewest, or all is given back
    uint40 deadline;
    address creator; // gets the proceeds, and in time its share of the tokens
    uint16 creatorShare; // of all tokens, in 1/10,000
    uint32 cliff; // after the sale, before which nothing of it vests
    uint32 vesting; // after the sale, until all of it has vested
}

/// @dev Everything about an offering. `listing.receiver` is 0: it becomes the token.
struct OfferingTerms {
    SaleTerms sale;
    TokenTerms token;
    Terms listing;
    bytes inputHeaders; // of the model
    CollectionTerms collection;
}
