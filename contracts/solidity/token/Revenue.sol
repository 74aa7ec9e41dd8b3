// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Checkpoint, Ledger} from "./Ledger.sol";
import {BadTokenTerms, PaymentFailed, TooLittleGasForAssets} from "./Errors.sol";

/// @dev What came in of an asset. All of it is either shared out (`perShare`, `carry`), in the pool for burners, or waits in `incoming`.
struct Asset {
    uint256 perShare; // what a token has earned since the beginning, in 10^-36
    uint256 carry; // what did not divide, in 10^-36
    uint256 pool; // for burners
    uint256 incoming; // came in a block in which balances had changed
    uint256 held; // what the contract answers for
    uint256 received; // in all
}

/// @dev Revenue of a token in ether and in a fixed list of ERC-20 tokens.
///
/// The rule: what comes in before any balance changes in a block belongs to those who held before the block, all other to those who hold at
/// its end. So it is shared out at once in the first case, and before the next change in a later block in the second. What came in silently
/// (a transfer tells nobody) is found before any balance changes. Nobody earns by a balance that is borrowed and given back in one
/// transaction, whatever is made to come in meanwhile.
abstract contract Revenue is ERC20, ReentrancyGuardTransient {
    using Ledger for Checkpoint[];
    using SafeERC20 for IERC20;

    event RevenueReceived(address indexed asset, uint256 amount);
    event RevenueShared(address indexed asset, uint256 claimable, uint256 redeemable);

    /// @notice Stands for ether in lists of assets.
    address public constant ETHER = address(0);
    uint256 public constant MAX_REVENUE_TOKENS = 4;
    /// @dev All that an asset may bring in; more is not counted. Keeps every product below 2^256.
    uint256 private constant MAX_RECEIVED = type(uint112).max;
    /// @dev Gas of `balanceOf` of a revenue token, at most; one that takes more brings nothing.
    uint256 private constant BALANCE_GAS = 60_000;

    /// @notice The share of revenue that holders claim, in 1/10,000; the rest is for those who burn.
    uint256 public immutable CLAIMABLE;

    address[] internal assets;
    mapping(address asset => bool) public isAsset;
    mapping(address asset => Asset) internal ledgers;
    mapping(address asset => mapping(uint256 snapshotId => uint256)) internal perShareAt;
    mapping(address asset => mapping(address account => Checkpoint[])) internal checkpoints;
    /// @notice The block of the last change of a balance.
    uint256 public lastMove;
    /// @notice The number of the last snapshot.
    uint256 public snapshotCount;

    constructor(uint256 claimable, address[] memory tokens) {
        if (claimable > 10_000 || tokens.length > MAX_REVENUE_TOKENS) revert BadTokenTerms();
        CLAIMABLE = claimable;
        _add(ETHER);
        for (uint256 i = 0; i < tokens.length; ++i) {
            if (isAsset[tokens[i]] || tokens[i] == address(this)) revert BadTokenTerms();
            _add(tokens[i]);
        }
    }

    /// @notice Ether and the revenue tokens.
    function revenueAssets() external view returns (address[] memory) {
        return assets;
    }

    /// @notice What is kept of an asset.
    function assetOf(address asset) external view returns (Asset memory) {
        return ledgers[asset];
    }

    /// @notice Takes notice of all that came in. Anybody may.
    function sync() external {
        _syncAll();
    }

    function _syncAll() internal {
        for (uint256 i = 0; i < assets.length; ++i) {
            _sync(assets[i]);
        }
    }

    /// @dev Counts what came in, and shares out what may be. Inside a payment nothing is counted: it may be half done.
    function _sync(address asset) internal {
        if (_reentrancyGuardEntered()) return;
        Asset storage a = ledgers[asset];
        uint256 news = _news(asset, a);
        if (news != 0) {
            a.held += news;
            a.received += news;
            a.incoming += news;
            emit RevenueReceived(asset, news);
        }
        if (a.incoming != 0 && _sharing()) _share(asset, a);
    }

    /// @dev Notes the new balance of an account in all ledgers.
    function _note(address account) internal {
        uint256 balance = balanceOf(account);
        for (uint256 i = 0; i < assets.length; ++i) {
            address asset = assets[i];
            checkpoints[asset][account].push(snapshotCount + 1, balance, ledgers[asset].perShare);
        }
    }

    /// @dev Whether what comes in now is shared out now.
    function _sharing() internal view returns (bool) {
        return lastMove != block.number && totalSupply() != 0;
    }

    /// @dev What is for burners, with what `_sync` would add.
    function _poolOf(address asset) internal view returns (uint256) {
        Asset storage a = ledgers[asset];
        if (!_sharing() || _reentrancyGuardEntered()) return a.pool;
        uint256 amount = a.incoming + _news(asset, a);
        return a.pool + amount - amount * CLAIMABLE / 10_000;
    }

    /// @dev Sends what the contract answers for no more.
    function _send(address asset, address to, uint256 amount) internal {
        ledgers[asset].held -= amount;
        if (asset == ETHER) {
            (bool ok,) = to.call{value: amount}("");
            if (!ok) revert PaymentFailed();
        } else {
            IERC20(asset).safeTransfer(to, amount);
        }
    }

    function _add(address asset) private {
        assets.push(asset);
        isAsset[asset] = true;
    }

    function _share(address asset, Asset storage a) private {
        uint256 amount = a.incoming;
        uint256 claimable = amount * CLAIMABLE / 10_000;
        uint256 supply = totalSupply();
        uint256 numerator = claimable * Ledger.ONE + a.carry;
        a.incoming = 0;
        a.perShare += numerator / supply;
        a.carry = numerator % supply;
        a.pool += amount - claimable;
        emit RevenueShared(asset, claimable, amount - claimable);
    }

    /// @dev What the contract has of an asset and does not answer for yet.
    function _news(address asset, Asset storage a) private view returns (uint256) {
        uint256 balance = asset == ETHER ? address(this).balance : _balanceOf(asset);
        if (balance <= a.held) return 0;
        uint256 room = MAX_RECEIVED - a.received;
        return balance - a.held < room ? balance - a.held : room;
    }

    /// @dev The contract's balance of a token; 0 if the token does not tell. It cannot stop anything.
    function _balanceOf(address token) private view returns (uint256 found) {
        bytes memory data = abi.encodeCall(IERC20.balanceOf, (address(this)));
        // Whoever gives too little gas must not make the token look empty.
        if (gasleft() < BALANCE_GAS + BALANCE_GAS / 63 + 5_000) revert TooLittleGasForAssets();
        assembly ("memory-safe") {
            if staticcall(BALANCE_GAS, token, add(data, 32), mload(data), 0, 32) {
                if gt(returndatasize(), 31) { found := mload(0) }
            }
        }
    }
}
