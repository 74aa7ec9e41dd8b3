// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAIOracle, IAIOracleCallback} from "./IAIOracle.sol";

/// @notice A base for consumers of an AI oracle, with the names of OAO's.
abstract contract AIOracleCallbackReceiver is IAIOracleCallback {
    error UnauthorizedCallbackSource(IAIOracle expected, IAIOracle found);

    IAIOracle public immutable aiOracle;

    constructor(IAIOracle aiOracle_) {
        aiOracle = aiOracle_;
    }

    /// @dev Lets nobody but the oracle bring answers.
    modifier onlyAIOracleCallback() {
        if (msg.sender != address(aiOracle)) revert UnauthorizedCallbackSource(aiOracle, IAIOracle(msg.sender));
        _;
    }
}
