// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bonds} from "../game/Tiers.sol";
import {Bank} from "../game/Bank.sol";
import {TransferFailed} from "../game/Errors.sol";
import {Model} from "../game/Registry.sol";
import {BadTerms, NoRevenue, UnknownListing} from "./Errors.sol";
import {IDispute} from "./IDispute.sol";

/// @dev The terms on which a model answers. Amounts in wei, shares in 1/10,000.
struct Terms {
    bytes32 modelRoot;
    uint64 maxT; // longest run, as in a task
    uint8 tier; // of the claims: their bonds and clocks
    uint32 ttl; // seconds until an unanswered request may be refunded
    uint16 share; // of the fee, to the receiver; the rest is the submitter's
    address receiver;
    uint96 fee;
    uint64 gasPrice; // of a unit of callback gas
}

/// @dev Models on offer. A listing is named by its terms, so nobody can change them; anybody may list a model on any terms.
abstract contract Listings is Bank {
    event ModelListed(uint256 indexed modelId, bytes32 indexed modelRoot, Terms terms);
    event RevenueAdded(uint256 indexed modelId, uint256 indexed requestId, uint256 amount);
    event RevenueClaimed(uint256 indexed modelId, address receiver, uint256 amount);

    uint256 private constant TIERS = 4;

    IDispute public immutable dispute;
    mapping(uint256 modelId => Terms) internal listings;
    mapping(uint256 modelId => bytes) internal headersOf;
    mapping(uint256 modelId => uint256) internal revenues;

    constructor(IDispute dispute_) {
        dispute = dispute_;
    }

    /// @notice Offers a registered model on these terms; doing it again changes nothing. `inputHeaders` are those it was registered with.
    function list(Terms calldata terms, bytes calldata inputHeaders) external returns (uint256 modelId) {
        requireListable(terms, inputHeaders);
        modelId = modelIdOf(terms);
        listings[modelId] = terms;
        headersOf[modelId] = inputHeaders;
        emit ModelListed(modelId, terms.modelRoot, terms);
    }

    /// @notice Sends a model's receiver what it has earned. Anybody may.
    function claimModelRevenue(uint256 modelId) external {
        uint256 amount = revenues[modelId];
        if (amount == 0) revert NoRevenue();
        revenues[modelId] = 0;
        address receiver = listings[modelId].receiver;
        emit RevenueClaimed(modelId, receiver, amount);
        (bool ok,) = receiver.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }

    /// @notice Refuses terms that cannot be listed; those that can, can for ever.
    function requireListable(Terms memory terms, bytes memory inputHeaders) public view {
        Model memory model = dispute.modelOf(terms.modelRoot);
        if (model.header.N() == 0 || keccak256(inputHeaders) != model.inputsHash) revert BadTerms();
        if (terms.maxT == 0 || terms.share > 10_000 || terms.ttl == 0 || terms.tier >= TIERS) revert BadTerms();
        if (terms.receiver == address(0) && terms.share != 0) revert BadTerms();
        (, Bonds bonds) = dispute.tier(terms.tier);
        if (bonds.bondS() == 0) revert BadTerms();
    }

    /// @notice A listing's number.
    function modelIdOf(Terms memory terms) public pure returns (uint256) {
        return uint256(keccak256(abi.encode(terms)));
    }

    /// @notice The terms of a listing; all zero if there is none.
    function getModel(uint256 modelId) external view returns (Terms memory) {
        return listings[modelId];
    }

    /// @notice What a model's receiver has earned and not yet got.
    function revenueOf(uint256 modelId) external view returns (uint256) {
        return revenues[modelId];
    }

    /// @dev The terms of a listing, which must exist.
    function _listed(uint256 modelId) internal view returns (Terms memory terms) {
        terms = listings[modelId];
        if (terms.maxT == 0) revert UnknownListing();
    }

    /// @dev Divides a fee: a share to the model's receiver, the rest to the submitter.
    function _divide(uint256 modelId, uint256 requestId, uint256 fee, address submitter) internal {
        uint256 share = fee * listings[modelId].share / 10_000;
        revenues[modelId] += share;
        emit RevenueAdded(modelId, requestId, share);
        _credit(submitter, fee - share);
    }
}
