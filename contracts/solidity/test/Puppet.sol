// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice A contract that does as it is told: for tests of players and payees that are contracts.
contract Puppet {
    bool public refuses;
    bool public succeeded;
    uint256 public received;
    address private target;
    bytes private answer;

    receive() external payable {
        if (refuses) revert();
        ++received;
        if (answer.length != 0) (succeeded,) = target.call(answer);
    }

    /// @notice What to do with value that comes in: refuse it, or make a call.
    function set(bool refuses_, address target_, bytes calldata answer_) external {
        (refuses, target, answer) = (refuses_, target_, answer_);
    }

    /// @notice Calls with at most `limit` gas, and hands on a revert.
    function act(address to, uint256 value, uint256 limit, bytes calldata data) external payable {
        _act(to, value, limit, data);
    }

    /// @notice Several calls in one transaction.
    function actAll(address to, uint256[] calldata values, bytes[] calldata data) external payable {
        for (uint256 i = 0; i < data.length; ++i) {
            _act(to, values[i], gasleft(), data[i]);
        }
    }

    function _act(address to, uint256 value, uint256 limit, bytes calldata data) private {
        (bool ok, bytes memory result) = to.call{value: value, gas: limit}(data);
        if (ok) return;
        assembly {
            revert(add(result, 32), mload(result))
        }
    }
}
