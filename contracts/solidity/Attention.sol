// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Committee} from "./attention/Committee.sol";
import "./attention/Errors.sol";
import {Terms} from "./attention/Terms.sol";
import {ClaimWord, FALSE, FINAL, OPENED, PENDING, REFUTED} from "./game/ClaimWord.sol";
import {IClaims} from "./game/IClaims.sol";
import {Bonds, Times} from "./game/Tiers.sol";
import {Claim} from "./game/Types.sol";

/// @title Attention checks: a committee shows that it computed a claim's whole trace before the trace is public (docs/protocol.md)
/// @notice Members answer with a hash that only the trace root gives, bound to themselves. Then the submitter opens its trace, as in a
/// dispute. Who answered right shares the fee; who was silent or wrong about a claim that became final loses its deposit, as does who
/// vouched for a root that a proof refuted. One contract serves one tier with one committee; nobody can change either.
contract Attention is Committee {
    event Asked(bytes32 indexed claimId, bytes32 commitment, uint256 seats);
    event Responded(bytes32 indexed claimId, address indexed member, bytes32 mark);
    event Revealed(bytes32 indexed claimId, bytes32 traceRoot);
    event Closed(bytes32 indexed claimId, uint256 stage, uint256 right);

    // Stages of a claim here.
    uint256 private constant ASKED = 1;
    uint256 private constant REVEALED = 2;
    uint256 private constant ATTENDED = 3;
    uint256 private constant VOID = 4;

    struct Check {
        bytes32 commitment; // H(0x0c ‖ claimId ‖ trace root ‖ salt)
        address submitter;
        uint40 askedAt;
        uint16 seats;
        uint8 stage;
        uint8 right; // members who answered right, of an ATTENDED claim
    }

    Terms private terms;
    /// @notice Fees of claims that nobody earned; the next claim's members share it.
    uint256 public pool;

    mapping(bytes32 claimId => Check) private checks;
    mapping(bytes32 claimId => mapping(uint256 seat => bytes32)) private marks;

    constructor(IClaims claims_, Terms memory t, address[] memory members) Committee(claims_, t, members) {
        (Times times, Bonds bonds) = claims_.tier(t.tier);
        uint256 n = members.length;
        if (Bonds.unwrap(bonds) == 0 || t.respond < times.traceTime() || t.reveal < times.delay()) revert BadTerms();
        if (uint256(t.respond) + t.reveal + times.rootWindow() > times.window()) revert BadTerms();
        // Participation, and that checking pays more than silence, whatever the rate of fraud.
        uint256 cost = uint256(t.checkCost) + t.answerCost;
        if (t.checkCost == 0 || 4 * uint256(t.fee) < 5 * n * cost) revert BadTerms();
        if (t.deposit < t.checkCost || t.bond < t.fee) revert BadTerms();
        terms = t;
    }

    /// @notice A submitter asks for attention to its own claim. `commitment` fixes the trace root that it will open.
    function ask(Claim calldata c, bytes32 commitment) external payable {
        bytes32 id = claims.claimIdOf(c);
        if (msg.sender != c.submitter) revert NotSubmitter();
        if (msg.value != uint256(terms.fee) + terms.bond) revert WrongValue();
        if (checks[id].stage != 0) revert Attended();
        ClaimWord word = claims.claimOf(id);
        if (word.status() != PENDING) revert NotPending();
        if (word.tier() != terms.tier) revert WrongTier();
        if (word.stage() == OPENED) revert TraceOpen();
        (Times times,) = claims.tier(terms.tier);
        if (_opensBy(block.timestamp) + times.rootWindow() > word.claimedAt() + times.window()) revert TooLate();
        uint256 bits = _active();
        if (bits == 0) revert NobodyActive();
        checks[id] = Check(commitment, msg.sender, uint40(block.timestamp), uint16(bits), uint8(ASKED), 0);
        emit Asked(id, commitment, bits);
    }

    /// @notice A member's answer, before the trace is public: `markOf` its own address and the trace root that it computed.
    function respond(bytes32 claimId, bytes32 mark) external {
        Check storage check = checks[claimId];
        uint256 seat = _seatOf(msg.sender);
        if (check.stage != ASKED || (check.seats >> seat) & 1 == 0) revert NotAsked();
        if (block.timestamp >= _answersBy(check.askedAt)) revert TooLate();
        if (claims.traceRootOf(claimId) != 0) revert TraceOpen();
        if (mark == 0 || marks[claimId][seat] != 0) revert Answered();
        marks[claimId][seat] = mark;
        emit Responded(claimId, msg.sender, mark);
    }

    /// @notice The submitter, which opened its trace after the answers and in time, shows that it is the one that it committed to.
    function reveal(bytes32 claimId, bytes32 salt) external {
        Check storage check = checks[claimId];
        if (check.stage != ASKED) revert NotAsked();
        if (msg.sender != check.submitter) revert NotSubmitter();
        if (block.timestamp > _opensBy(check.askedAt)) revert TooLate();
        ClaimWord word = claims.claimOf(claimId);
        if (word.status() != PENDING || word.stage() != OPENED) revert NotPending();
        if (word.stageAt() < _answersBy(check.askedAt)) revert TooEarly();
        bytes32 root = claims.traceRootOf(claimId);
        if (keccak256(abi.encodePacked(uint8(0x0c), claimId, root, salt)) != check.commitment) revert WrongTrace();
        check.stage = uint8(REVEALED);
        emit Revealed(claimId, root);
    }

    /// @notice Ends the check of a claim whose trace was not revealed here in time. The submitter loses its bond, unless a challenge made it
    /// open the trace before the answers were due, or the members' time ran out on it.
    function expire(bytes32 claimId) external {
        Check storage check = checks[claimId];
        if (check.stage != ASKED) revert NotAsked();
        if (block.timestamp <= _opensBy(check.askedAt)) revert TooEarly();
        ClaimWord word = claims.claimOf(claimId);
        bool early = word.status() != FALSE && word.stage() == OPENED && word.stageAt() < _answersBy(check.askedAt);
        _close(claimId, check, VOID, 0);
        pool += terms.fee;
        early ? _credit(check.submitter, terms.bond) : _forfeit(terms.bond);
    }

    /// @notice Ends the check of a claim that is over: pays who answered right, takes the deposits of who did not.
    function settle(bytes32 claimId) external {
        Check storage check = checks[claimId];
        if (check.stage != REVEALED) revert NotAsked();
        ClaimWord word = claims.claimOf(claimId);
        if (word.status() == FALSE) return _settleFalse(claimId, check, word.stage() == REFUTED);
        if (word.status() != FINAL) revert NotOver();
        _settleFinal(claimId, check);
    }

    /// @notice Whoever has a trace root signed by the submitter before the answers are due takes its bond: the submitter sold what the
    /// members are to compute. The digest is `leakDigest`.
    function leak(bytes32 claimId, bytes32 traceRoot, uint8 v, bytes32 r, bytes32 s) external {
        Check storage check = checks[claimId];
        if (check.stage != ASKED) revert NotAsked();
        if (block.timestamp >= _answersBy(check.askedAt)) revert TooLate();
        if (claims.traceRootOf(claimId) != 0) revert TraceOpen();
        if (ecrecover(leakDigest(claimId, traceRoot), v, r, s) != check.submitter) revert BadSignature();
        _close(claimId, check, VOID, 0);
        pool += terms.fee;
        _forfeit(terms.bond);
    }

    /// @notice What a submitter signs when it sells a trace root (EIP-191, version 0).
    function leakDigest(bytes32 claimId, bytes32 traceRoot) public view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1900", address(this), keccak256(abi.encode("leak", block.chainid, claimId, traceRoot))));
    }

    /// @notice The right answer of a member, of which another's says nothing.
    function markOf(bytes32 claimId, bytes32 traceRoot, address member) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0x0d), claimId, traceRoot, member));
    }

    /// @notice The terms.
    function termsOf() external view returns (Terms memory) {
        return terms;
    }

    /// @notice The check of a claim.
    function checkOf(bytes32 claimId) external view returns (Check memory) {
        return checks[claimId];
    }

    /// @notice The number of members who computed the trace of this claim, which is final; 0 of any other.
    function attentionOf(bytes32 claimId) external view returns (uint256) {
        return checks[claimId].right;
    }

    function _settleFinal(bytes32 claimId, Check storage check) private {
        bytes32 root = claims.traceRootOf(claimId);
        uint256 bits = _rightAnswers(claimId, check, root);
        uint256 right;
        for (uint256 i = 0; i < seats.length; ++i) {
            if (!_counts(check, i)) continue;
            if ((bits >> i) & 1 == 1) ++right;
            else _slash(claimId, seats[i]);
        }
        uint256 pot = pool + terms.fee;
        uint256 share = right == 0 ? 0 : pot / right;
        pool = pot - share * right;
        for (uint256 i = 0; i < seats.length; ++i) {
            if ((bits >> i) & 1 == 1) _credit(seats[i].member, share);
        }
        _close(claimId, check, ATTENDED, right);
        _credit(check.submitter, terms.bond);
    }

    /// @dev A claim may fall though its trace is right, by the submitter's own clock; so only a proof tells against who vouched for it.
    function _settleFalse(bytes32 claimId, Check storage check, bool refuted) private {
        uint256 bits = refuted ? _rightAnswers(claimId, check, claims.traceRootOf(claimId)) : 0;
        for (uint256 i = 0; i < seats.length; ++i) {
            if ((bits >> i) & 1 == 1) _slash(claimId, seats[i]);
        }
        _close(claimId, check, VOID, 0);
        pool += terms.fee;
        _forfeit(terms.bond);
    }

    /// @dev Members of the claim's committee, still standing for it, whose answer is that of this root.
    function _rightAnswers(bytes32 claimId, Check storage check, bytes32 root) private view returns (uint256 bits) {
        for (uint256 i = 0; i < seats.length; ++i) {
            if (_counts(check, i) && marks[claimId][i] == markOf(claimId, root, seats[i].member)) bits |= 1 << i;
        }
    }

    /// @dev Whether a seat was to check this claim, with the deposit that is there now.
    function _counts(Check storage check, uint256 i) private view returns (bool) {
        return (check.seats >> i) & 1 == 1 && seats[i].since != 0 && seats[i].since < check.askedAt;
    }

    function _close(bytes32 claimId, Check storage check, uint256 stage, uint256 right) private {
        (check.stage, check.right) = (uint8(stage), uint8(right));
        emit Closed(claimId, stage, right);
    }

    /// @dev t_r: answers must come before.
    function _answersBy(uint256 askedAt) private view returns (uint256) {
        return askedAt + terms.respond;
    }

    /// @dev The last second to open the trace and reveal it here.
    function _opensBy(uint256 askedAt) private view returns (uint256) {
        return askedAt + terms.respond + terms.reveal;
    }
}
