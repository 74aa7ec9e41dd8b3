// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice A contract to be called back that does harm, as it is told.
contract Hostile {
    enum Deed {
        ACCEPT,
        REVERT,
        BURN_GAS,
        RETURN_BOMB,
        REVERT_BOMB,
        REENTER
    }

    Deed public deed;
    uint256 public calls;
    uint256 public gasSeen;
    bool public reentered; // whether the latest call back into the target went through
    address private target;
    bytes[] private answers;

    receive() external payable {}

    function set(Deed deed_, address target_, bytes[] calldata answers_) external {
        (deed, target) = (deed_, target_);
        delete answers;
        for (uint256 i = 0; i < answers_.length; ++i) {
            answers.push(answers_[i]);
        }
    }

    /// @notice Calls anything, to ask in its own name.
    function act(address to, bytes calldata data) external payable {
        (bool ok, bytes memory result) = to.call{value: msg.value}(data);
        if (ok) return;
        assembly {
            revert(add(result, 32), mload(result))
        }
    }

    function aiOracleCallback(uint256, bytes calldata, bytes calldata) external {
        uint256 before = gasleft();
        if (deed == Deed.REVERT) revert("no");
        if (deed == Deed.BURN_GAS) while (true) {}
        if (deed == Deed.RETURN_BOMB) {
            assembly {
                return(0, 200000)
            }
        }
        if (deed == Deed.REVERT_BOMB) {
            assembly {
                revert(0, 200000)
            }
        }
        ++calls;
        gasSeen = before;
        if (deed == Deed.REENTER) {
            reentered = false;
            for (uint256 i = 0; i < answers.length; ++i) {
                (bool ok,) = target.call(answers[i]);
                if (ok) reentered = true;
            }
        }
    }
}
