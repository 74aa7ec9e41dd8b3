// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RevenueToken} from "./RevenueToken.sol";
import {TokenTerms} from "./token/Terms.sol";

/// @title Makes revenue tokens, whose code an offering has no room for
contract TokenDeployer {
    /// @notice A new token; the caller is its minter.
    function deploy(TokenTerms calldata terms) external returns (RevenueToken) {
        return new RevenueToken(terms, msg.sender);
    }
}
