// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @dev What an account had earned of an asset when its balance last changed in a period.
struct Checkpoint {
    uint32 period;
    uint112 balance; // from then on
    uint112 earned; // in all, up to then
    uint256 perShare;
}

/// @dev The account's checkpoints of one asset, at most one for each period, so that earnings up to any snapshot can be told for ever.
/// Earnings are rounded down at each checkpoint. Supply and revenue stay below 2^112, so nothing here overflows.
library Ledger {
    /// @dev Earnings are kept per share, in 10^-36 of the asset's unit: round amounts divide without a rest.
    uint256 internal constant ONE = 10 ** 36;

    /// @dev Earnings in all, up to a moment not before the last checkpoint, when a share had earned `perShare` since the beginning.
    function total(Checkpoint[] storage all, uint256 perShare) internal view returns (uint256) {
        uint256 count = all.length;
        return count == 0 ? 0 : _upTo(all[count - 1], perShare);
    }

    /// @dev Earnings in all, up to the snapshot that ended `period`, when a share had earned `perShare`.
    function totalAt(Checkpoint[] storage all, uint256 period, uint256 perShare) internal view returns (uint256) {
        uint256 low = 0;
        uint256 high = all.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (all[middle].period > period) high = middle;
            else low = middle + 1;
        }
        return low == 0 ? 0 : _upTo(all[low - 1], perShare);
    }

    /// @dev Notes a change of the balance.
    function push(Checkpoint[] storage all, uint256 period, uint256 balance, uint256 perShare) internal {
        Checkpoint memory next =
            Checkpoint(uint32(period), uint112(balance), uint112(total(all, perShare)), perShare);
        uint256 count = all.length;
        if (count != 0 && all[count - 1].period == period) all[count - 1] = next;
        else all.push(next);
    }

    /// @dev A balance is never more than the supply at any time since the checkpoint, so the product is at most ONE times all revenue.
    function _upTo(Checkpoint storage c, uint256 perShare) private view returns (uint256) {
        return c.earned + c.balance * (perShare - c.perShare) / ONE;
    }
}
