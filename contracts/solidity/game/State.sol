// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Times} from "./Tiers.sol";
import {Words} from "./Words.sol";

/// @dev A dispute's whole position (SPEC §8.2). Its slot holds only the hash of these six words.
struct State {
    bytes32 claimId;
    bytes32 node; // the disputed node's hash, or the hash of the partials; 0 where there is none
    Players players;
    Clock clock;
    Place place;
    Range range;
}

// Kinds of position (SPEC §7.1).
uint256 constant TRACE_OPEN = 0;
uint256 constant TRACE_HIDDEN = 1;
uint256 constant TENSOR_OPEN = 2;
uint256 constant TENSOR_HIDDEN = 3;
uint256 constant LEAF = 4;
uint256 constant EMPTY = 5;
uint256 constant ELEMENT = 6;
uint256 constant SLICE = 7;
uint256 constant ELEMENT_PARTIALS = 8;
uint256 constant SLICE_PARTIALS = 9;

/// @dev challenger:160 | budgetS:40 | budgetC:40 | version:16
type Players is uint256;
/// @dev turnStart:40 | turnBlock:40 | openBlock:40 | delay:32 | minBlocks:16 | weight:32 | nonce:16 | weightSelect:16 | b:8 | kind:8 |
/// height:8
type Clock is uint256;
/// @dev leaf:48 | index:48 | leaves:48 | elements:48 | dtype:8 | e:48 | reducer:8
type Place is uint256;
/// @dev value:128 (two's complement) | k0:64 | k1:64
type Range is uint256;

using PlayersLib for Players global;
using ClockLib for Clock global;
using PlaceLib for Place global;
using RangeLib for Range global;

function hashState(State memory s) pure returns (bytes32 hash) {
    assembly ("memory-safe") {
        hash := keccak256(s, 192)
    }
}

/// @dev Name of a dispute: by value, never used twice.
function disputeIdOf(bytes32 claimId, address challenger, uint256 nonce) pure returns (bytes32 id) {
    // keccak256(abi.encode(claimId, challenger, nonce))
    assembly ("memory-safe") {
        let free := mload(0x40)
        mstore(free, claimId)
        mstore(add(free, 0x20), and(challenger, 0xffffffffffffffffffffffffffffffffffffffff))
        mstore(add(free, 0x40), nonce)
        id := keccak256(free, 0x60)
    }
}

library PlayersLib {
    using Words for uint256;

    function pack(address challenger_, uint256 budget_) internal pure returns (Players) {
        return Players.wrap((uint256(uint160(challenger_)) << 96) | (budget_ << 56) | (budget_ << 16));
    }

    function challenger(Players p) internal pure returns (address) {
        return address(uint160(Players.unwrap(p) >> 96));
    }

    function version(Players p) internal pure returns (uint256) {
        return Players.unwrap(p).get(0, 16);
    }

    /// @dev Seconds left to the player on turn.
    function budget(Players p, bool submitter) internal pure returns (uint256) {
        return Players.unwrap(p).get(submitter ? 56 : 16, 40);
    }

    /// @dev After a move: the mover's budget falls by `min(budget, charge)`, the version rises. A walk has fewer than 2^9 moves.
    function moved(Players p, bool submitter, uint256 charge) internal pure returns (Players) {
        unchecked {
            uint256 left = budget(p, submitter);
            left = left > charge ? left - charge : 0;
            return Players.wrap(Players.unwrap(p).put(submitter ? 56 : 16, 40, left) + 1);
        }
    }
}

library ClockLib {
    using Words for uint256;

    /// @dev The clock of a new dispute: the challenger's first turn starts no earlier than `traceTime` from now.
    function pack(Times t, uint256 arityLog2_, uint256 nonce_) internal view returns (Clock) {
        unchecked {
            uint256 number = uint40(block.number);
            uint256 word = ((block.timestamp + t.traceTime()) << 216) | (number << 176) | (number << 136);
            word |= (t.delay() << 104) | (t.minBlocks() << 88) | (t.weightOpen() << 56) | (nonce_ << 40);
            return Clock.wrap(word | (t.weightSelect() << 24) | (arityLog2_ << 16));
        }
    }

    function turnStart(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c) >> 216;
    }

    function turnBlock(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(176, 40);
    }

    function openBlock(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(136, 40);
    }

    function delay(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(104, 32);
    }

    function minBlocks(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(88, 16);
    }

    function weight(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(56, 32);
    }

    function nonce(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(40, 16);
    }

    function weightSelect(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(24, 16);
    }

    function arityLog2(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(16, 8);
    }

    function kind(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(8, 8);
    }

    function height(Clock c) internal pure returns (uint256) {
        return Clock.unwrap(c).get(0, 8);
    }

    /// @dev Whether the submitter is on turn: at hidden nodes, elements and slices.
    function submitterTurn(Clock c) internal pure returns (bool) {
        return (((1 << TRACE_HIDDEN) | (1 << TENSOR_HIDDEN) | (1 << ELEMENT) | (1 << SLICE)) >> kind(c)) & 1 == 1;
    }

    function to(Clock c, uint256 kind_, uint256 height_) internal pure returns (Clock) {
        return Clock.wrap(Clock.unwrap(c).put(0, 16, (kind_ << 8) | height_));
    }

    function startedAt(Clock c, uint256 time, uint256 number) internal pure returns (Clock) {
        return Clock.wrap(Clock.unwrap(c).put(176, 80, (time << 40) | number));
    }

    /// @dev At most 2^9 moves of a 16-bit weight each: below 2^32.
    function addWeight(Clock c, uint256 gain) internal pure returns (Clock) {
        unchecked {
            return Clock.wrap(Clock.unwrap(c) + (gain << 56));
        }
    }

    /// @dev Seconds of the present turn beyond the free delay (SPEC §7.4); `turnStart` may lie in the future.
    function charge(Clock c) internal view returns (uint256) {
        unchecked {
            uint256 free = turnStart(c) + delay(c);
            return block.timestamp > free ? block.timestamp - free : 0;
        }
    }

    /// @dev Whether the player on turn, with `budget` seconds left, has lost by time.
    function late(Clock c, uint256 budget) internal view returns (bool) {
        unchecked {
            return charge(c) > budget && block.number >= turnBlock(c) + minBlocks(c);
        }
    }
}

library PlaceLib {
    using Words for uint256;

    function leaf(Place p) internal pure returns (uint256) {
        return Place.unwrap(p) >> 208;
    }

    function index(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(160, 48);
    }

    function leaves(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(112, 48);
    }

    function elements(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(64, 48);
    }

    function dtype(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(56, 8);
    }

    function e(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(8, 48);
    }

    function reducer(Place p) internal pure returns (uint256) {
        return Place.unwrap(p).get(0, 8);
    }

    /// @dev A node of the trace.
    function ofTrace(uint256 index_, uint256 leaves_) internal pure returns (Place) {
        return Place.wrap((index_ << 160) | (leaves_ << 112));
    }

    /// @dev The root of the tensor at a trace leaf.
    function ofTensor(uint256 leaf_, uint256 leaves_, uint256 elements_, uint256 dtype_) internal pure returns (Place) {
        return Place.wrap((leaf_ << 208) | (leaves_ << 112) | (elements_ << 64) | (dtype_ << 56));
    }

    /// @dev An element of the tensor at a trace leaf.
    function ofElement(uint256 leaf_, uint256 e_, uint256 reducer_) internal pure returns (Place) {
        return Place.wrap((leaf_ << 208) | (e_ << 8) | reducer_);
    }

    function withIndex(Place p, uint256 index_) internal pure returns (Place) {
        return Place.wrap(Place.unwrap(p).put(160, 48, index_));
    }
}

library RangeLib {
    function pack(int256 value_, uint256 k0_, uint256 k1_) internal pure returns (Range) {
        return Range.wrap((uint256(value_) << 128) | (k0_ << 64) | k1_);
    }

    function value(Range r) internal pure returns (int256) {
        return int256(Range.unwrap(r)) >> 128;
    }

    function k0(Range r) internal pure returns (uint256) {
        return uint64(Range.unwrap(r) >> 64);
    }

    function k1(Range r) internal pure returns (uint256) {
        return uint64(Range.unwrap(r));
    }
}
