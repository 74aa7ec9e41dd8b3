// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BadTier, UnknownTier} from "./Errors.sol";
import {Tier} from "./Types.sol";
import {Words} from "./Words.sol";

/// @dev window:32 | budget:32 | traceTime:32 | delay:32 | rootWindow:32 | minBlocks:16 | burnS:16 | burnC:16 | weightOpen:16 |
/// weightSelect:16 | weightProve:16
type Times is uint256;
/// @dev arityLog2:8 | bondS:96 | bondC:96
type Bonds is uint256;

using TimesLib for Times global;
using BondsLib for Bonds global;

library TimesLib {
    using Words for uint256;

    function pack(Tier memory t) internal pure returns (Times) {
        uint256 times = (uint256(t.window) << 224) | (uint256(t.budget) << 192) | (uint256(t.traceTime) << 160)
            | (uint256(t.delay) << 128) | (uint256(t.rootWindow) << 96) | (uint256(t.minBlocks) << 80);
        return Times.wrap(
            times | (uint256(t.burnS) << 64) | (uint256(t.burnC) << 48) | (uint256(t.weightOpen) << 32)
                | (uint256(t.weightSelect) << 16) | t.weightProve
        );
    }

    function window(Times t) internal pure returns (uint256) {
        return Times.unwrap(t) >> 224;
    }

    function budget(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(192, 32);
    }

    function traceTime(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(160, 32);
    }

    function delay(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(128, 32);
    }

    function rootWindow(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(96, 32);
    }

    function minBlocks(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(80, 16);
    }

    function burnS(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(64, 16);
    }

    function burnC(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(48, 16);
    }

    function weightOpen(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(32, 16);
    }

    function weightSelect(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(16, 16);
    }

    function weightProve(Times t) internal pure returns (uint256) {
        return Times.unwrap(t).get(0, 16);
    }
}

library BondsLib {
    using Words for uint256;

    function pack(Tier memory t) internal pure returns (Bonds) {
        return Bonds.wrap((uint256(t.arityLog2) << 192) | (uint256(t.bondS) << 96) | t.bondC);
    }

    function arityLog2(Bonds b) internal pure returns (uint256) {
        return Bonds.unwrap(b) >> 192;
    }

    function bondS(Bonds b) internal pure returns (uint256) {
        return Bonds.unwrap(b).get(96, 96);
    }

    function bondC(Bonds b) internal pure returns (uint256) {
        return Bonds.unwrap(b).get(0, 96);
    }
}

/// @dev The parameters of claims: a table of up to four tiers that is part of the code. Nobody can change it.
abstract contract Tiers {
    uint256 public constant MAX_TIERS = 4;
    // Weights are lower bounds of the marginal gas of the challenger's moves, so that no weight is bought below its price.
    uint256 private constant MAX_WEIGHT_OPEN = 30;
    uint256 private constant MAX_WEIGHT_SELECT = 12;
    uint256 private constant MAX_WEIGHT_PROVE = 25;

    // Gas of whole calls, measured with some room (`the_gas_that_bonds_are_sized_by`). A reveal and a select grow with the arity.
    uint256 private constant GAS_CHALLENGE = 60_000;
    uint256 private constant GAS_OPEN = 120_000;
    uint256 private constant GAS_TIMEOUT = 40_000;
    uint256 private constant GAS_MOVE = 50_000;
    uint256 private constant GAS_CHILD = 1_400;
    uint256 private constant GAS_PROVE = 1_000_000;

    Times private immutable TIMES_0;
    Times private immutable TIMES_1;
    Times private immutable TIMES_2;
    Times private immutable TIMES_3;
    Bonds private immutable BONDS_0;
    Bonds private immutable BONDS_1;
    Bonds private immutable BONDS_2;
    Bonds private immutable BONDS_3;

    constructor(Tier[] memory tiers) {
        uint256 count = tiers.length;
        if (count == 0 || count > MAX_TIERS) revert BadTier();
        for (uint256 i = 0; i < count; ++i) {
            _check(tiers[i]);
        }
        (TIMES_0, BONDS_0) = _pack(tiers, 0);
        (TIMES_1, BONDS_1) = _pack(tiers, 1);
        (TIMES_2, BONDS_2) = _pack(tiers, 2);
        (TIMES_3, BONDS_3) = _pack(tiers, 3);
    }

    /// @notice The packed parameters of a tier: times, shares and weights; arity and bonds.
    function tier(uint256 number) external view returns (Times, Bonds) {
        return (_times(number), _bonds(number));
    }

    function _times(uint256 number) internal view returns (Times) {
        if (number == 0) return TIMES_0;
        if (number == 1) return TIMES_1;
        return number == 2 ? TIMES_2 : TIMES_3;
    }

    function _bonds(uint256 number) internal view returns (Bonds) {
        if (number == 0) return BONDS_0;
        if (number == 1) return BONDS_1;
        return number == 2 ? BONDS_2 : BONDS_3;
    }

    /// @dev Refuses a number beyond the table.
    function _requireTier(uint256 number) internal view {
        if (number >= MAX_TIERS || Bonds.unwrap(_bonds(number)) == 0) revert UnknownTier();
    }

    function _pack(Tier[] memory tiers, uint256 i) private pure returns (Times, Bonds) {
        if (i >= tiers.length) return (Times.wrap(0), Bonds.wrap(0));
        return (TimesLib.pack(tiers[i]), BondsLib.pack(tiers[i]));
    }

    function _check(Tier memory t) private pure {
        uint256 b = t.arityLog2;
        if (b < 1 || b > 6) revert BadTier();
        if (t.delay == 0 || t.traceTime == 0 || t.minBlocks == 0 || t.minBlocks > t.delay) revert BadTier();
        if (t.rootWindow == 0 || t.rootWindow >= t.window) revert BadTier();
        if (t.window < uint256(t.traceTime) + 2 * uint256(t.delay)) revert BadTier();
        if (t.budget < t.delay || 2 * uint256(t.budget) < t.traceTime) revert BadTier();
        if (_turns(b) * t.delay > t.window + 2 * uint256(t.budget)) revert BadTier();
        if (t.burnS < 2_500 || t.burnS > 9_000 || t.burnC < 1_250 || t.burnC > 5_000) revert BadTier();
        if (t.bondS == 0 || t.bondC == 0) revert BadTier();
        _checkBonds(t);
        if (t.weightOpen == 0 || t.weightOpen > MAX_WEIGHT_OPEN) revert BadTier();
        if (t.weightSelect > MAX_WEIGHT_SELECT || t.weightProve > MAX_WEIGHT_PROVE) revert BadTier();
    }

    /// @dev A lost bond pays the submitter's whole game one and a half times up to a certain price of gas. Up to that price a lone challenger's
    /// game must be paid at least twice by the pot.
    function _checkBonds(Tier memory t) private pure {
        uint256 levels = (_turns(t.arityLog2) - 4) / 2;
        uint256 move = GAS_MOVE + (GAS_CHILD << t.arityLog2);
        uint256 gasS = GAS_OPEN + levels * move + GAS_TIMEOUT;
        uint256 gasC = GAS_CHALLENGE + levels * move + GAS_PROVE;
        uint256 repaid = uint256(t.bondC) * (10_000 - t.burnC);
        uint256 pot = uint256(t.bondS) * (10_000 - t.burnS);
        if (pot * 3 * gasS < repaid * 4 * gasC) revert BadTier();
    }

    /// @dev Most turns of a game: a trace of 2^40 leaves, a tensor of 2^35, a reduction of 2^40 terms, and the moves between them.
    function _turns(uint256 b) private pure returns (uint256) {
        uint256 levels = (40 + b - 1) / b + (35 + b - 1) / b + (40 + b - 1) / b;
        return 2 * levels + 4;
    }
}
