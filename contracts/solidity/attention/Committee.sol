// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bank} from "../game/Bank.sol";
import {IClaims} from "../game/IClaims.sol";
import {Times} from "../game/Tiers.sol";
import {BURN} from "../game/Types.sol";
import "./Errors.sol";
import {Terms} from "./Terms.sol";

/// @dev Up to 16 members, named at deployment, each active while its deposit is here.
abstract contract Committee is Bank {
    event MemberJoined(address indexed member);
    event MemberLeft(address indexed member);
    event Slashed(bytes32 indexed claimId, address indexed member);

    struct Seat {
        address member;
        uint40 since; // 0: no deposit
        uint40 leftAt; // 0: not leaving
    }

    uint256 internal constant MAX_SEATS = 16;
    // The longest game of any arity has fewer turns (`Tiers`).
    uint256 private constant MAX_TURNS = 234;

    IClaims public immutable claims;
    uint256 internal immutable DEPOSIT;
    /// @notice How long a deposit stays after its member has left: until every claim it had to check is over, and a while to settle them.
    uint256 public immutable lock;

    Seat[] internal seats;

    constructor(IClaims claims_, Terms memory t, address[] memory members) {
        if (members.length == 0 || members.length > MAX_SEATS) revert BadTerms();
        for (uint256 i = 0; i < members.length; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                if (members[j] == members[i]) revert BadTerms();
            }
            seats.push(Seat(members[i], 0, 0));
        }
        (Times times,) = claims_.tier(t.tier);
        claims = claims_;
        DEPOSIT = t.deposit;
        uint256 game = times.traceTime() + 2 * times.budget() + (MAX_TURNS + 1) * times.delay();
        lock = 2 * times.window() + game;
    }

    /// @notice A member locks its deposit, and checks from the next second on.
    function join() external payable {
        Seat storage seat = seats[_seatOf(msg.sender)];
        if (msg.value != DEPOSIT) revert WrongValue();
        if (seat.since != 0) revert Joined();
        (seat.since, seat.leftAt) = (uint40(block.timestamp), 0);
        emit MemberJoined(msg.sender);
    }

    /// @notice A member takes no more claims; those it has it still must check.
    function retire() external {
        Seat storage seat = seats[_seatOf(msg.sender)];
        if (seat.since == 0 || seat.leftAt != 0) revert NotJoined();
        seat.leftAt = uint40(block.timestamp);
        emit MemberLeft(msg.sender);
    }

    /// @notice Credits the deposit of a member that left long enough ago.
    function reclaim() external {
        Seat storage seat = seats[_seatOf(msg.sender)];
        if (seat.leftAt == 0 || block.timestamp < seat.leftAt + lock) revert NotLeft();
        (seat.since, seat.leftAt) = (0, 0);
        _credit(msg.sender, DEPOSIT);
    }

    /// @notice The seats with their members.
    function seatsOf() external view returns (Seat[] memory) {
        return seats;
    }

    function _seatOf(address member) internal view returns (uint256) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i].member == member) return i;
        }
        revert NotMember();
    }

    /// @dev Seats whose members must check a claim that asks now: a bit each.
    function _active() internal view returns (uint256 bits) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (_ready(seats[i]) && seats[i].leftAt == 0) bits |= 1 << i;
        }
    }

    /// @dev Whether the deposit is here since before this second.
    function _ready(Seat storage seat) private view returns (bool) {
        return seat.since != 0 && seat.since < block.timestamp;
    }

    /// @dev Takes a deposit: half to the caller, half is burnt, so that nobody gains by reporting itself.
    function _slash(bytes32 claimId, Seat storage seat) internal {
        (seat.since, seat.leftAt) = (0, 0);
        emit Slashed(claimId, seat.member);
        _forfeit(DEPOSIT);
    }

    function _forfeit(uint256 amount) internal {
        _credit(msg.sender, amount / 2);
        _credit(BURN, amount - amount / 2);
    }
}
