// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

contract StepVerifier {
    /// @notice Placeholder of the build.
    function version() external pure returns (uint256) {
        return 1;
    }
}
