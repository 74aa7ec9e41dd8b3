// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Words} from "./Words.sol";
import {Times} from "./Tiers.sol";

/// @dev A claim's slot, and that of a batch (`Batches`): status:4 | stage:4 | tier:8 | open:40 | weight:40 | leaves−1:40, then 120 bits: of a PENDING or FINAL claim
/// t0:40 | stageAt:40 | stageBlock:40, of a FALSE one the wei of the pot that were paid so far.
type ClaimWord is uint256;

// Status. FINAL and FALSE are for ever.
uint256 constant PENDING = 1;
uint256 constant FINAL = 2;
uint256 constant FALSE = 3;

// Stage of the trace: `stageAt` is the time of the first challenge (AWAITED) or of the opening (OPENED).
uint256 constant UNDISPUTED = 0;
uint256 constant AWAITED = 1;
uint256 constant OPENED = 2;
uint256 constant REFUTED = 3; // of a FALSE claim: a proof showed that the opened trace contradicts itself

using ClaimWordLib for ClaimWord global;

library ClaimWordLib {
    using Words for uint256;

    function pack(uint256 tier_, uint256 leaves_) internal view returns (ClaimWord) {
        unchecked {
            return ClaimWord.wrap(
                (PENDING << 252) | (tier_ << 240) | ((leaves_ - 1) << 120) | (uint256(uint40(block.timestamp)) << 80)
            );
        }
    }

    function status(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w) >> 252;
    }

    function stage(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(248, 4);
    }

    function tier(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(240, 8);
    }

    /// @dev Number of open disputes.
    function open(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(200, 40);
    }

    /// @dev Sum of the weights of the open disputes; of a FALSE claim, of those that were open when it fell.
    function weight(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(160, 40);
    }

    /// @dev Number of leaves of the trace, T·N ≥ 1.
    function leaves(ClaimWord w) internal pure returns (uint256) {
        unchecked {
            return ClaimWord.unwrap(w).get(120, 40) + 1;
        }
    }

    function claimedAt(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(80, 40);
    }

    function stageAt(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(40, 40);
    }

    function stageBlock(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(0, 40);
    }

    function paid(ClaimWord w) internal pure returns (uint256) {
        return ClaimWord.unwrap(w).get(0, 120);
    }

    function enters(ClaimWord w, uint256 stage_) internal view returns (ClaimWord) {
        uint256 word = ClaimWord.unwrap(w).put(248, 4, stage_);
        return ClaimWord.wrap(word.put(0, 80, (uint256(uint40(block.timestamp)) << 40) | uint40(block.number)));
    }

    /// @dev FALSE, by a proof.
    function refuted(ClaimWord w) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w).put(248, 8, (FALSE << 4) | REFUTED));
    }

    function becomes(ClaimWord w, uint256 status_) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w).put(252, 4, status_));
    }

    function withPaid(ClaimWord w, uint256 wei_) internal pure returns (ClaimWord) {
        return ClaimWord.wrap(ClaimWord.unwrap(w).put(0, 120, wei_));
    }

    /// @dev One dispute more. Filling 40 bits would take 2^40 transactions inside one window.
    function opened(ClaimWord w, uint256 gain) internal pure returns (ClaimWord) {
        unchecked {
            return addWeight(ClaimWord.wrap(ClaimWord.unwrap(w) + (1 << 200)), gain);
        }
    }

    /// @dev One open dispute less; its weight stays.
    function closed(ClaimWord w) internal pure returns (ClaimWord) {
        unchecked {
            return ClaimWord.wrap(ClaimWord.unwrap(w) - (1 << 200));
        }
    }

    /// @dev Weight is metered gas in units of 1,000: 2^40 of them are 10^15 gas inside one window.
    function addWeight(ClaimWord w, uint256 gain) internal pure returns (ClaimWord) {
        unchecked {
            return ClaimWord.wrap(ClaimWord.unwrap(w) + (gain << 160));
        }
    }

    function subWeight(ClaimWord w, uint256 loss) internal pure returns (ClaimWord) {
        unchecked {
            return ClaimWord.wrap(ClaimWord.unwrap(w) - (loss << 160));
        }
    }

    /// @dev Whether the submitter let the time to open the trace run out (SPEC §7.4).
    function traceLate(ClaimWord w, Times t) internal view returns (bool) {
        unchecked {
            return stage(w) == AWAITED && block.timestamp > stageAt(w) + t.traceTime() + t.delay()
                && block.number >= stageBlock(w) + t.minBlocks();
        }
    }
}
