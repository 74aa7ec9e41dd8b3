// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AigcCollection} from "./AigcCollection.sol";
import {AIOracle} from "./AIOracle.sol";
import {CollectionTerms} from "./nft/Terms.sol";

/// @title Makes collections, whose code an offering has no room for
contract CollectionDeployer {
    /// @notice A new collection of a listing's answers.
    function deploy(CollectionTerms calldata terms, AIOracle oracle, uint256 modelId, address royaltyReceiver)
        external
        returns (AigcCollection)
    {
        return new AigcCollection(terms, oracle, modelId, royaltyReceiver);
    }
}
