// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AigcCollection} from "./AigcCollection.sol";
import {AIOracle} from "./AIOracle.sol";
import {CollectionDeployer} from "./CollectionDeployer.sol";
import {CreatorVesting} from "./CreatorVesting.sol";
import {Bank} from "./game/Bank.sol";
import "./imo/Errors.sol";
import {OfferingTerms, SaleTerms} from "./imo/Terms.sol";
import {CollectionTerms} from "./nft/Terms.sol";
import {Terms} from "./oracle/Listings.sol";
import {RevenueToken} from "./RevenueToken.sol";
import {IRevenueSource} from "./token/Terms.sol";
import {TokenDeployer} from "./TokenDeployer.sol";

/// @title An initial model offering (docs/tokens.md)
/// @notice Sells the token of one model root at a fixed price. If enough is sold, the model is listed at the oracle with the token as the
/// receiver of its fees, the creator's share is minted into vesting, and a collection opens whose royalties are the token's; else every
/// buyer gets back what was paid. Until then nobody can move tokens. No owner.
contract Offering is Bank {
    event Opened(address token, bytes32 indexed modelRoot, address indexed creator);
    event Bought(address indexed buyer, uint256 amount, uint256 paid);
    event Succeeded(uint256 sold, uint256 raised, uint256 modelId, address vesting, address collection);
    event Failed(uint256 sold, uint256 raised);
    event Refunded(address indexed buyer, uint256 amount, uint256 paid);

    enum State {
        OPEN,
        SUCCEEDED,
        FAILED
    }

    uint256 private constant UNIT = 10 ** 18;

    AIOracle public immutable oracle;
    RevenueToken public immutable token;
    CollectionDeployer private immutable COLLECTIONS;

    State public state;
    uint256 public sold;
    uint256 public raised;
    uint256 public modelId;
    CreatorVesting public vesting;
    AigcCollection public collection;
    mapping(address buyer => uint256) public paidBy;
    SaleTerms private sale;
    Terms private listing;
    CollectionTerms private collectionTerms;
    bytes private inputHeaders;

    constructor(OfferingTerms memory terms, AIOracle oracle_, TokenDeployer tokens, CollectionDeployer collections) {
        (oracle, COLLECTIONS) = (oracle_, collections);
        _check(terms, oracle_);
        (sale, listing, collectionTerms) = (terms.sale, terms.listing, terms.collection);
        inputHeaders = terms.inputHeaders;
        token = tokens.deploy(terms.token);
        listing.receiver = address(token);
        oracle.requireListable(listing, terms.inputHeaders); // so that a success cannot be stopped
        emit Opened(address(token), terms.listing.modelRoot, terms.sale.creator);
    }

    /// @notice Buys so many units. The value is `costOf` them, to the wei.
    function buy(uint256 amount) external payable {
        if (state != State.OPEN || block.timestamp >= sale.deadline) revert SaleOver();
        if (msg.value != costOf(amount)) revert BadPayment();
        if (sold + amount > sale.cap) revert AboveCap();
        sold += amount;
        raised += msg.value;
        paidBy[msg.sender] += msg.value;
        emit Bought(msg.sender, amount, msg.value);
        token.mint(msg.sender, amount);
    }

    /// @notice Ends the sale when it is sold out or its time is over. Anybody may.
    function close() external {
        if (state != State.OPEN) revert SaleOver();
        if (sold != sale.cap && block.timestamp < sale.deadline) revert SaleRuns();
        if (sold < sale.softCap) {
            state = State.FAILED;
            emit Failed(sold, raised);
        } else {
            state = State.SUCCEEDED;
            _succeed();
        }
    }

    /// @notice Gives the sender back what it paid for its tokens, after a sale that failed.
    function refund() external {
        if (state != State.FAILED) revert NotRefundable();
        uint256 paid = paidBy[msg.sender];
        if (paid == 0) revert NothingPaid();
        paidBy[msg.sender] = 0;
        uint256 amount = token.balanceOf(msg.sender);
        emit Refunded(msg.sender, amount, paid);
        token.takeBack(msg.sender, amount);
        _credit(msg.sender, paid);
        _pay(msg.sender);
    }

    /// @notice What so many units cost, in wei; refused if that is no whole number.
    function costOf(uint256 amount) public view returns (uint256) {
        uint256 product = amount * sale.price;
        if (amount == 0 || product % UNIT != 0) revert BadAmount();
        return product / UNIT;
    }

    /// @notice The terms of the sale.
    function saleTerms() external view returns (SaleTerms memory) {
        return sale;
    }

    /// @notice The terms of the listing that a success makes.
    function listingTerms() external view returns (Terms memory) {
        return listing;
    }

    function _succeed() private {
        SaleTerms memory s = sale;
        modelId = oracle.list(listing, inputHeaders);
        uint256 share = sold * s.creatorShare / (10_000 - s.creatorShare);
        if (share != 0) {
            vesting = new CreatorVesting(s.creator, uint64(block.timestamp), s.cliff, s.vesting);
            token.mint(address(vesting), share);
        }
        token.launch(IRevenueSource(address(oracle)), modelId);
        collection = COLLECTIONS.deploy(collectionTerms, oracle, modelId, address(token));
        _credit(s.creator, raised);
        emit Succeeded(sold, raised, modelId, address(vesting), address(collection));
    }

    function _check(OfferingTerms memory terms, AIOracle oracle_) private view {
        SaleTerms memory s = terms.sale;
        if (s.price == 0 || s.softCap == 0 || s.cap < s.softCap || s.cap > 1 << 96) revert BadOffering();
        if (s.deadline <= block.timestamp || s.creator == address(0) || s.creatorShare > 9_000) revert BadOffering();
        if (s.vesting == 0 || s.cliff > s.vesting || terms.collection.royalty > 10_000) revert BadOffering();
        uint64 gasLimit = terms.collection.callbackGas;
        if (gasLimit == 0 || gasLimit > oracle_.MAX_CALLBACK_GAS()) revert BadOffering();
        if (terms.listing.receiver != address(0)) revert BadOffering();
    }
}
