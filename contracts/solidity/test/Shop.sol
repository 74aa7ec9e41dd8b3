// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AigcCollection} from "../AigcCollection.sol";

/// @notice Sells tokens of content that are verified, and pays the royalty, which is the revenue of the model's token.
contract Shop {
    mapping(uint256 tokenId => uint256) public priceOf;

    AigcCollection private immutable COLLECTION;

    constructor(AigcCollection collection) {
        COLLECTION = collection;
    }

    function offer(uint256 tokenId, uint256 price) external {
        require(COLLECTION.ownerOf(tokenId) == msg.sender, "not yours");
        priceOf[tokenId] = price;
    }

    function buy(bytes calldata prompt, bytes calldata content) external payable {
        uint256 tokenId = COLLECTION.tokenId(prompt);
        uint256 price = priceOf[tokenId];
        require(price != 0 && msg.value == price, "not the price");
        require(COLLECTION.verify(prompt, content, ""), "not what the model says");
        delete priceOf[tokenId];
        address seller = COLLECTION.ownerOf(tokenId);
        (address receiver, uint256 royalty) = COLLECTION.royaltyInfo(tokenId, price);
        COLLECTION.transferFrom(seller, msg.sender, tokenId);
        (bool paid,) = receiver.call{value: royalty}("");
        (bool sold,) = seller.call{value: price - royalty}("");
        require(paid && sold, "not paid");
    }
}
