// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {
    AlreadyLaunched,
    BadTokenTerms,
    NothingToClaim,
    NotLaunched,
    NotMinter,
    SnapshotTooSoon,
    UnknownAsset
} from "./token/Errors.sol";
import {IERC7641, IERC7641AltRevToken} from "./token/IERC7641.sol";
import {Checkpoint, Ledger} from "./token/Ledger.sol";
import {Revenue} from "./token/Revenue.sol";
import {IRevenueSource, TokenTerms} from "./token/Terms.sol";

/// @title A share of what a model earns, ERC-7641 (docs/tokens.md)
/// @notice Until its launch the minter mints and takes back, and nobody else moves anything. From then on the supply only falls, and
/// revenue is taken. No owner.
contract RevenueToken is Revenue, IERC7641AltRevToken {
    using Ledger for Checkpoint[];

    event Launched(address source, uint256 modelId);
    event SnapshotTaken(uint256 indexed snapshotId);
    event RevenueClaimed(address indexed account, uint256 indexed snapshotId, address indexed asset, uint256 amount);
    event Redeemed(address indexed account, address indexed asset, uint256 amount);

    /// @notice The largest supply.
    uint256 public constant MAX_SUPPLY = type(uint112).max;
    /// @notice Who mints until the launch.
    address public immutable MINTER;
    /// @notice Least seconds between snapshots.
    uint256 public immutable SNAPSHOT_INTERVAL;

    bool public launched;
    /// @notice When the last period began.
    uint256 public periodStart;
    IRevenueSource public source;
    uint256 public modelId;
    mapping(address asset => mapping(address account => mapping(uint256 snapshotId => bool))) private claimed;

    constructor(TokenTerms memory terms, address minter)
        ERC20(terms.name, terms.symbol)
        Revenue(terms.claimable, terms.revenueTokens)
    {
        if (terms.snapshotInterval == 0) revert BadTokenTerms();
        (MINTER, SNAPSHOT_INTERVAL) = (minter, terms.snapshotInterval);
    }

    modifier onlyMinter() {
        if (msg.sender != MINTER) revert NotMinter();
        if (launched) revert AlreadyLaunched();
        _;
    }

    /// @notice Takes revenue in ether. It is counted by `sync`, or before the next change of a balance, whichever comes first; so a payment
    /// needs no more gas than a plain transfer has.
    receive() external payable {
        if (!launched) revert NotLaunched();
    }

    /// @notice Mints, before the launch. Only the minter.
    function mint(address to, uint256 amount) external onlyMinter {
        if (totalSupply() + amount > MAX_SUPPLY) revert BadTokenTerms();
        _mint(to, amount);
    }

    /// @notice Takes tokens back, before the launch. Only the minter.
    function takeBack(address from, uint256 amount) external onlyMinter {
        _burn(from, amount);
    }

    /// @notice Ends the time of the minter. Each snapshot fetches what the model has earned at the source, if there is one.
    function launch(IRevenueSource source_, uint256 modelId_) external onlyMinter {
        (launched, source, modelId, periodStart) = (true, source_, modelId_, block.timestamp);
        lastMove = block.number;
        emit Launched(address(source_), modelId_);
    }

    /// @inheritdoc IERC7641
    function snapshot() external returns (uint256 id) {
        if (!launched) revert NotLaunched();
        if (block.timestamp < periodStart + SNAPSHOT_INTERVAL) revert SnapshotTooSoon();
        periodStart = block.timestamp;
        if (address(source) != address(0)) {
            try source.claimModelRevenue(modelId) {} catch {} // there may be none
        }
        _syncAll();
        id = ++snapshotCount;
        for (uint256 i = 0; i < assets.length; ++i) {
            perShareAt[assets[i]][id] = ledgers[assets[i]].perShare;
        }
        emit SnapshotTaken(id);
    }

    /// @inheritdoc IERC7641
    function claim(uint256 snapshotId) external {
        _claim(snapshotId, ETHER);
    }

    /// @notice The same for a revenue token.
    function claimERC20(uint256 snapshotId, address token) external {
        _claim(snapshotId, token);
    }

    /// @inheritdoc IERC7641
    function burn(uint256 amount) external {
        _redeem(amount, assets);
    }

    /// @notice Burns for the shares of these assets alone, and leaves those of the others to the other holders: the way out if a revenue
    /// token refuses to pay. In ascending order, so that none is there twice.
    function burnFor(uint256 amount, address[] calldata chosen) external {
        for (uint256 i = 0; i < chosen.length; ++i) {
            if (!isAsset[chosen[i]] || (i != 0 && chosen[i] <= chosen[i - 1])) revert UnknownAsset();
        }
        _redeem(amount, chosen);
    }

    /// @inheritdoc IERC7641
    function claimableRevenue(address account, uint256 snapshotId) external view returns (uint256) {
        return _claimable(account, snapshotId, ETHER);
    }

    /// @inheritdoc IERC7641AltRevToken
    function claimableERC20(address account, uint256 snapshotId, address token) external view returns (uint256) {
        return _claimable(account, snapshotId, token);
    }

    /// @inheritdoc IERC7641
    function redeemableOnBurn(uint256 amount) external view returns (uint256) {
        return _redeemable(amount, ETHER);
    }

    /// @inheritdoc IERC7641AltRevToken
    function redeemableERC20OnBurn(uint256 amount, address token) external view returns (uint256) {
        return _redeemable(amount, token);
    }

    /// @dev Before a balance changes all that came in is counted for those who hold now.
    function _update(address from, address to, uint256 value) internal override {
        if (launched) {
            _syncAll();
            lastMove = block.number;
        } else if (from != address(0) && to != address(0)) {
            revert NotLaunched();
        }
        super._update(from, to, value);
        if (from != address(0)) _note(from);
        if (to != address(0)) _note(to);
    }

    function _claim(uint256 snapshotId, address asset) private nonReentrant {
        uint256 amount = _claimable(msg.sender, snapshotId, asset);
        if (amount == 0) revert NothingToClaim();
        claimed[asset][msg.sender][snapshotId] = true;
        emit RevenueClaimed(msg.sender, snapshotId, asset, amount);
        _send(asset, msg.sender, amount);
    }

    function _claimable(address account, uint256 snapshotId, address asset) private view returns (uint256) {
        if (snapshotId == 0 || snapshotId > snapshotCount || claimed[asset][account][snapshotId]) return 0;
        Checkpoint[] storage all = checkpoints[asset][account];
        uint256 before = all.totalAt(snapshotId - 1, perShareAt[asset][snapshotId - 1]);
        return all.totalAt(snapshotId, perShareAt[asset][snapshotId]) - before;
    }

    /// @dev The share is what `redeemableOnBurn` says; it leaves the pool before anything is sent.
    function _redeem(uint256 amount, address[] memory chosen) private {
        if (!launched) revert NotLaunched();
        _syncAll();
        uint256[] memory shares = new uint256[](chosen.length);
        for (uint256 i = 0; i < chosen.length; ++i) {
            shares[i] = _redeemable(amount, chosen[i]);
            ledgers[chosen[i]].pool -= shares[i];
        }
        _burn(msg.sender, amount);
        _payShares(chosen, shares);
    }

    function _payShares(address[] memory chosen, uint256[] memory shares) private nonReentrant {
        for (uint256 i = 0; i < chosen.length; ++i) {
            if (shares[i] == 0) continue;
            emit Redeemed(msg.sender, chosen[i], shares[i]);
            _send(chosen[i], msg.sender, shares[i]);
        }
    }

    function _redeemable(uint256 amount, address asset) private view returns (uint256) {
        uint256 supply = totalSupply();
        return amount == 0 || amount > supply || !isAsset[asset] ? 0 : Math.mulDiv(_poolOf(asset), amount, supply);
    }
}
