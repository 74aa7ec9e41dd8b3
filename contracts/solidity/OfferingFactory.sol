// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AIOracle} from "./AIOracle.sol";
import {CollectionDeployer} from "./CollectionDeployer.sol";
import {OfferingTerms} from "./imo/Terms.sol";
import {Offering} from "./Offering.sol";
import {TokenDeployer} from "./TokenDeployer.sol";

/// @title Launches initial model offerings (docs/tokens.md)
/// @notice Anybody may offer any model root: who the creator is tells `creator`, not this contract.
contract OfferingFactory {
    event OfferingLaunched(
        address indexed offering, bytes32 indexed modelRoot, address indexed creator, address token, OfferingTerms terms
    );

    AIOracle public immutable oracle;
    TokenDeployer public immutable TOKENS;
    CollectionDeployer public immutable COLLECTIONS;

    mapping(address offering => bool) public isOffering;

    constructor(AIOracle oracle_, TokenDeployer tokens, CollectionDeployer collections) {
        (oracle, TOKENS, COLLECTIONS) = (oracle_, tokens, collections);
    }

    /// @notice Opens the sale of the token of a model.
    function launch(OfferingTerms calldata terms) external returns (Offering offering) {
        offering = new Offering(terms, oracle, TOKENS, COLLECTIONS);
        isOffering[address(offering)] = true;
        emit OfferingLaunched(
            address(offering), terms.listing.modelRoot, terms.sale.creator, address(offering.token()), terms
        );
    }
}
