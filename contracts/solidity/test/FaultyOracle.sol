// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAIOracleCallback} from "../oracle/IAIOracle.sol";

/// @notice A stand-in with known faults of AI oracles: what was never answered counts as final, a callback can be replayed, and one that
/// fails takes the answer with it.
contract FaultyOracle {
    uint256 private constant PERIOD = 1 hours;

    struct Request {
        address to;
        uint64 gasLimit;
        uint256 answeredAt;
        bytes output;
    }

    mapping(uint256 => Request) private requests;
    uint256 private count;

    function requestCallback(uint256, bytes calldata, address to, uint64 gasLimit, bytes calldata)
        external
        payable
        returns (uint256 id)
    {
        id = count++;
        (requests[id].to, requests[id].gasLimit) = (to, gasLimit);
    }

    function invokeCallback(uint256 id, bytes calldata output) external {
        (requests[id].output, requests[id].answeredAt) = (output, block.timestamp);
        updateResult(id);
    }

    function updateResult(uint256 id) public {
        Request storage r = requests[id];
        (bool ok,) = r.to.call{gas: r.gasLimit}(
            abi.encodeCall(IAIOracleCallback.aiOracleCallback, (id, r.output, ""))
        );
        require(ok);
    }

    function isFinalized(uint256 id) external view returns (bool) {
        return block.timestamp >= requests[id].answeredAt + PERIOD;
    }

    function getOutput(uint256 id) external view returns (bytes memory) {
        return requests[id].output;
    }
}
