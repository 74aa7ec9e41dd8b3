// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Merkle} from "../lib/Merkle.sol";
import {Claims} from "./Claims.sol";
import {AWAITED, ClaimWord, FALSE, OPENED, UNDISPUTED} from "./ClaimWord.sol";
import "./Errors.sol";
import {ClockLib, disputeIdOf, hashState, PlaceLib, PlayersLib, State, TRACE_OPEN} from "./State.sol";
import {Bonds, Times} from "./Tiers.sol";
import {BURN, Claim, TOMBSTONE} from "./Types.sol";

/// @dev Disputes: one slot each, the hash of the state. Every move brings the state, and leaves the next one in its event.
abstract contract Board is Claims {
    event Challenged(bytes32 indexed claimId, bytes32 indexed disputeId, State state);
    event Falsified(bytes32 indexed disputeId, State state);
    event Lost(bytes32 indexed claimId, bytes32 indexed disputeId);
    event Settled(bytes32 indexed claimId, bytes32 indexed disputeId, uint256 share);

    mapping(bytes32 disputeId => bytes32) internal disputes;

    /// @notice Ends a dispute whose player on turn is late, or the claim if its trace is.
    function claimTimeout(State calldata state, Claim calldata c) external {
        _exact(192 + 160);
        (State memory s, bytes32 id, ClaimWord word) = _load(state);
        _requireClaim(s.claimId, c);
        if (_waiting(s, word)) {
            if (!word.traceLate(_times(word.tier()))) revert NotLate();
            return _fall(s, id, word.becomes(FALSE));
        }
        bool submitter = s.clock.submitterTurn();
        if (!s.clock.late(s.players.budget(submitter))) revert NotLate();
        submitter ? _fall(s, id, word.becomes(FALSE)) : _lose(s, id, word, c.submitter);
    }

    /// @notice Gives a dispute up. Only its challenger, and not when the claim's trace is late: such a claim, which nobody can challenge any
    /// more, can only fall.
    function resign(State calldata state, Claim calldata c) external {
        _exact(192 + 160);
        (State memory s, bytes32 id, ClaimWord word) = _load(state);
        _requireClaim(s.claimId, c);
        _requireChallenger(s);
        if (word.traceLate(_times(word.tier()))) revert TraceIsLate();
        _lose(s, id, word, c.submitter);
    }

    /// @notice Credits the challenger of a dispute that was open when its claim fell: the bond and a share of the pot. Anybody may.
    /// The last one burns what is left of the submitter's bond.
    function settle(State calldata state) external {
        _exact(192);
        State memory s = state;
        bytes32 id = _requireState(s);
        ClaimWord word = _read(s.claimId);
        if (word.status() != FALSE) revert ClaimNotFalse();
        uint256 tier = word.tier();
        uint256 bond = _bondS(word);
        uint256 share = _pot(bond, tier) * s.clock.weight() / word.weight();
        word = word.closed().withPaid(word.paid() + share);
        _write(s.claimId, word);
        disputes[id] = TOMBSTONE;
        _credit(s.players.challenger(), _bonds(tier).bondC() + share);
        if (word.open() == 0) _credit(BURN, bond - word.paid());
        emit Settled(s.claimId, id, share);
    }

    /// @notice The hash of a dispute's state; 0 if there is none of this id, 1 if it is over.
    function disputeOf(bytes32 disputeId) external view returns (bytes32) {
        return disputes[disputeId];
    }

    /// @dev Opens a dispute of the sender's own against a PENDING claim with this slot.
    function _challenge(bytes32 claimId, ClaimWord word, uint16 nonce) internal returns (bytes32 id) {
        Times times = _times(word.tier());
        Bonds bonds = _bonds(word.tier());
        if (!_windowOpen(word)) revert WindowClosed();
        if (word.traceLate(times)) revert TraceIsLate();
        if (msg.value != bonds.bondC()) revert BadValue();
        id = disputeIdOf(claimId, msg.sender, nonce);
        if (disputes[id] != 0) revert IdUsed();
        if (word.stage() == UNDISPUTED) word = word.enters(AWAITED);
        _write(claimId, word.opened(times.weightOpen()));
        State memory s;
        s.claimId = claimId;
        s.players = PlayersLib.pack(msg.sender, times.budget());
        s.clock = ClockLib.pack(times, bonds.arityLog2(), nonce);
        disputes[id] = hashState(s);
        emit Challenged(claimId, id, s);
    }

    /// @dev Begins a move from one of `kinds` (a set of bits) by the player on turn, who must be in time, and charges the clock.
    function _enter(State calldata state, uint256 kinds)
        internal
        view
        returns (State memory s, bytes32 id, ClaimWord word)
    {
        (s, id, word) = _inTime(state, kinds);
        s.players = s.players.moved(s.clock.submitterTurn(), s.clock.charge());
        s.clock = s.clock.startedAt(block.timestamp, block.number);
    }

    /// @dev The state, which must be of one of `kinds`, of a dispute whose player on turn is in time.
    function _inTime(State calldata state, uint256 kinds)
        internal
        view
        returns (State memory s, bytes32 id, ClaimWord word)
    {
        (s, id, word) = _load(state);
        if ((kinds >> s.clock.kind()) & 1 == 0) revert WrongKind();
        if (_waiting(s, word)) revert TraceNotOpened();
        if (s.clock.late(s.players.budget(s.clock.submitterTurn()))) revert Late();
    }

    /// @dev Ends a move.
    function _leave(State memory s, bytes32 id) internal {
        disputes[id] = hashState(s);
    }

    /// @dev Accounts for a move of the challenger's own.
    function _weigh(State memory s, ClaimWord word, uint256 gain) internal {
        s.clock = s.clock.addWeight(gain);
        _write(s.claimId, word.addWeight(gain));
    }

    /// @dev The claim, whose `word` says FALSE already, falls by this dispute.
    function _fall(State memory s, bytes32 id, ClaimWord word) internal {
        _write(s.claimId, word.withPaid(0));
        // emit Falsified(id, s): a state's six words stand in memory as they do in the event.
        bytes32 topic = Falsified.selector;
        assembly ("memory-safe") {
            log2(s, 0xc0, topic, id)
        }
    }

    /// @dev Refuses calldata that are longer or shorter than a move with `size` bytes of arguments.
    function _exact(uint256 size) internal pure {
        unchecked {
            if (msg.data.length != size + 4) revert TrailingBytes();
        }
    }

    function _requireChallenger(State memory s) internal view {
        if (msg.sender != s.players.challenger()) revert WrongPlayer();
    }

    /// @dev A state that is its dispute's, of a pending claim; the first one takes its node and clock from the opened trace.
    function _load(State calldata state) private view returns (State memory s, bytes32 id, ClaimWord word) {
        s = state;
        word = _pending(s.claimId);
        id = _requireState(s);
        if (s.players.version() == 0 && word.stage() == OPENED) {
            uint256 leaves = word.leaves();
            s.node = traceRoots[s.claimId];
            s.place = PlaceLib.ofTrace(0, leaves);
            s.clock = s.clock.to(TRACE_OPEN, Merkle.depth(leaves)).startedAt(
                _max(word.stageAt(), s.clock.turnStart()), _max(word.stageBlock(), s.clock.turnBlock())
            );
        }
    }

    function _requireState(State memory s) private view returns (bytes32 id) {
        id = disputeIdOf(s.claimId, s.players.challenger(), s.clock.nonce());
        if (disputes[id] != hashState(s)) revert WrongState();
    }

    /// @dev Whether the dispute waits for the claim's trace.
    function _waiting(State memory s, ClaimWord word) private pure returns (bool) {
        return s.players.version() == 0 && word.stage() != OPENED;
    }

    /// @dev The challenger has lost: part of its bond is burnt, the rest goes to the submitter.
    function _lose(State memory s, bytes32 id, ClaimWord word, address submitter) private {
        uint256 bond = _bonds(word.tier()).bondC();
        uint256 burnt = bond * _times(word.tier()).burnC() / 10_000;
        word = word.closed().subWeight(s.clock.weight());
        // Nobody waits for the trace any more. A clock that ran on would close the window to others before its end.
        if (_leftAlone(s.claimId, word) && word.stage() == AWAITED) word = word.enters(UNDISPUTED);
        _write(s.claimId, word);
        disputes[id] = TOMBSTONE;
        _credit(BURN, burnt);
        _credit(submitter, bond - burnt);
        emit Lost(s.claimId, id);
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
