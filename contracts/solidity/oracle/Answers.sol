// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FALSE, FINAL} from "../game/ClaimWord.sol";
import {BURN, Claim} from "../game/Types.sol";
import "./Errors.sol";
import {Request, Requests, Status} from "./Requests.sol";

enum Kind {
    COMMITTED, // a hash that hides a claim
    CLAIMED,
    VOID // a hash that was not revealed in time, and whose bond is settled
}

/// @dev A claim that competes for a request, or the promise of one.
struct Entry {
    Kind kind;
    address submitter;
    uint40 since; // when it was committed
    uint48 mark; // CLAIMED: T of the claim; before: the block of the commitment
    bytes32 id; // name of the claim, or its hash with a salt
    bytes32 outputHash;
}

/// @dev Claims on requests, in the order of their commitments. All run at once; the first that becomes final fixes the answer, and the fee
/// goes to the lowest number among those that carry it (so a copy of a claim earns nothing).
abstract contract Answers is Requests {
    event Committed(uint256 indexed requestId, uint256 indexed index, address indexed submitter, bytes32 hash);
    event Answered(
        uint256 indexed requestId, uint256 indexed index, bytes32 indexed claimId, address submitter, bytes32 outputHash
    );
    event Conflict(uint256 indexed requestId, uint256 indexed index, bytes32 claimId);
    event Expired(uint256 indexed requestId, uint256 indexed index);
    event Concluded(uint256 indexed requestId, uint256 indexed index, bytes32 outputHash);
    event Settled(uint256 indexed requestId, uint256 indexed index, address indexed submitter);

    /// @dev Entries that one call looks at, at most: what is left is looked at by the next.
    uint256 private constant STEPS = 64;

    /// @notice The bond of a commitment, in wei, and the seconds within which it is to be revealed.
    uint256 public immutable COMMIT_BOND;
    uint256 public immutable REVEAL_TIME;

    mapping(uint256 requestId => Entry[]) internal entries;
    mapping(uint256 requestId => mapping(bytes32 claimId => bool)) internal registered;

    constructor(uint256 commitBond, uint256 revealTime) {
        if (revealTime == 0) revert BadTerms();
        (COMMIT_BOND, REVEAL_TIME) = (commitBond, revealTime);
    }

    /// @notice Takes a place before the answer is public: `hash` is keccak256(abi.encode(requestId, claimId, salt)). The value is
    /// COMMIT_BOND.
    function commit(uint256 requestId, bytes32 hash) external payable returns (uint256 index) {
        if (msg.value != COMMIT_BOND) revert BadBond();
        _requireOpen(requestId);
        index = entries[requestId].length;
        entries[requestId].push(
            Entry(Kind.COMMITTED, msg.sender, uint40(block.timestamp), uint48(block.number), hash, 0)
        );
        emit Committed(requestId, index, msg.sender, hash);
    }

    /// @notice Takes back the bond of a commitment that nobody revealed in time: half of it, the rest is burnt. Anybody may.
    function expire(uint256 requestId, uint256 index) external {
        Entry storage e = _entry(requestId, index);
        if (e.kind != Kind.COMMITTED) revert WrongEntry();
        if (block.timestamp <= e.since + REVEAL_TIME) revert TooSoon();
        e.kind = Kind.VOID;
        _credit(BURN, COMMIT_BOND - COMMIT_BOND / 2);
        _credit(e.submitter, COMMIT_BOND / 2);
        emit Expired(requestId, index);
    }

    /// @notice Fixes the answer to that of entry `index`, whose claim is final. Anybody may.
    function conclude(uint256 requestId, uint256 index) external {
        _conclude(requestId, index);
    }

    /// @notice Passes over entries that can win nothing any more, and gives the number of the first that may: what `refund` and others do,
    /// but so many entries that one call does not get past them are got past in several. Anybody may.
    function advance(uint256 requestId) external returns (uint256 head) {
        return _advance(requestId, _known(requestId));
    }

    /// @notice Pays the fee, once no entry of a lower number can carry the answer any more. Anybody may; the call may have to be repeated if
    /// there are many entries.
    function settleFee(uint256 requestId) external {
        if (_known(requestId).settled) revert AlreadySettled();
        if (!isFinalized(requestId)) revert NotFinal();
        if (!_settle(requestId) && !_moreSteps(requestId)) revert StillUndecided();
    }

    /// @notice All entries of a request.
    function entriesOf(uint256 requestId) external view returns (Entry[] memory) {
        return entries[requestId];
    }

    /// @notice Whether two claims that may both still stand give different answers: reason not to rely on any of them yet.
    function conflicted(uint256 requestId) external view returns (bool) {
        Request storage r = requests[requestId];
        Entry[] storage all = entries[requestId];
        bytes32 seen = 0;
        for (uint256 i = r.head; i < all.length; ++i) {
            Entry storage e = all[i];
            if (e.kind != Kind.CLAIMED || _status(e.id) == FALSE) continue;
            bytes32 key = keccak256(abi.encode(e.mark, e.outputHash));
            if (seen != 0 && key != seen) return true;
            seen = key;
        }
        return false;
    }

    function _requireOpen(uint256 requestId) internal view returns (Request storage r) {
        r = _known(requestId);
        if (r.status != Status.OPEN) revert RequestClosed();
        if (block.timestamp >= r.deadline) revert DeadlinePassed();
    }

    function _entry(uint256 requestId, uint256 index) internal view returns (Entry storage) {
        if (index >= entries[requestId].length) revert WrongEntry();
        return entries[requestId][index];
    }

    /// @dev Registers a claim without a commitment.
    function _append(uint256 requestId, Claim memory c) internal returns (uint256 index) {
        _requireOpen(requestId);
        index = entries[requestId].length;
        entries[requestId].push();
        _register(requestId, index, c);
    }

    /// @dev Registers the claim that a commitment hid, and credits its bond.
    function _reveal(uint256 requestId, uint256 index, Claim calldata c, bytes32 salt) internal {
        Entry storage e = _entry(requestId, index);
        if (e.kind != Kind.COMMITTED) revert WrongEntry();
        if (block.number <= e.mark) revert TooSoon();
        if (block.timestamp > e.since + REVEAL_TIME) revert TooLate();
        if (e.id != keccak256(abi.encode(requestId, dispute.claimIdOf(c), salt)) || e.submitter != c.submitter) {
            revert WrongReveal();
        }
        _credit(e.submitter, COMMIT_BOND);
        _register(requestId, index, c);
    }

    function _conclude(uint256 requestId, uint256 index) internal {
        Request storage r = _known(requestId);
        Entry storage e = _entry(requestId, index);
        if (e.kind != Kind.CLAIMED || _status(e.id) != FINAL) revert NotFinal();
        if (r.status != Status.OPEN) revert RequestClosed();
        (r.status, r.answer, r.T) = (Status.ANSWERED, e.outputHash, e.mark);
        emit Concluded(requestId, index, e.outputHash);
    }

    /// @dev The first of the next entries whose claim is final.
    function _findFinal(uint256 requestId) internal view returns (uint256 index) {
        Entry[] storage all = entries[requestId];
        index = requests[requestId].head;
        for (uint256 end = _min(all.length, index + STEPS); index < end; ++index) {
            if (all[index].kind == Kind.CLAIMED && _status(all[index].id) == FINAL) return index;
        }
        revert NotFinal();
    }

    /// @dev Pays the fee if it is decided whose it is.
    function _settle(uint256 requestId) internal returns (bool) {
        Request storage r = requests[requestId];
        uint256 head = _advance(requestId, r);
        if (head == entries[requestId].length) return false;
        Entry storage e = entries[requestId][head];
        if (!_carries(r, e) || _status(e.id) != FINAL) return false;
        r.settled = true;
        _divide(r.modelId, requestId, r.fee, e.submitter);
        emit Settled(requestId, head, e.submitter);
        return true;
    }

    /// @dev Passes over entries that can win nothing any more; gives the first that may.
    function _advance(uint256 requestId, Request storage r) internal returns (uint256 head) {
        Entry[] storage all = entries[requestId];
        uint256 from = r.head;
        head = from;
        for (uint256 end = _min(all.length, from + STEPS); head < end && _dead(r, all[head]); ++head) {}
        if (head != from) r.head = uint32(head);
    }

    /// @dev The state of a claim: PENDING, FINAL or FALSE.
    function _status(bytes32 claimId) internal view returns (uint256) {
        return dispute.claimOf(claimId).status();
    }

    function _register(uint256 requestId, uint256 index, Claim memory c) private {
        bytes32 id = dispute.claimIdOf(c);
        uint256 status = _status(id);
        if (status == 0) revert NoSuchClaim();
        if (status == FALSE) revert ClaimIsFalse();
        if (c.taskId != requests[requestId].taskId) revert OtherTask();
        if (registered[requestId][id]) revert AlreadyRegistered();
        registered[requestId][id] = true;
        Entry storage e = entries[requestId][index];
        (e.kind, e.submitter, e.mark, e.id, e.outputHash) = (Kind.CLAIMED, c.submitter, uint48(c.T), id, c.outputHash);
        emit Answered(requestId, index, id, c.submitter, c.outputHash);
        if (_contradicted(requestId, index, e)) emit Conflict(requestId, index, id);
    }

    /// @dev Whether one of the next claims of the request that may still stand says something else.
    function _contradicted(uint256 requestId, uint256 index, Entry storage e) private view returns (bool) {
        Entry[] storage all = entries[requestId];
        uint256 from = requests[requestId].head;
        for (uint256 i = from; i < _min(index, from + STEPS); ++i) {
            Entry storage other = all[i];
            if (other.kind != Kind.CLAIMED || (other.outputHash == e.outputHash && other.mark == e.mark)) continue;
            if (_status(other.id) != FALSE) return true;
        }
        return false;
    }

    /// @dev Whether an entry can win nothing any more.
    function _dead(Request storage r, Entry storage e) private view returns (bool) {
        if (e.kind == Kind.VOID) return true;
        if (e.kind == Kind.COMMITTED) return block.timestamp > e.since + REVEAL_TIME;
        if (r.status == Status.ANSWERED && !_carries(r, e)) return true;
        return _status(e.id) == FALSE;
    }

    function _carries(Request storage r, Entry storage e) private view returns (bool) {
        return e.kind == Kind.CLAIMED && e.outputHash == r.answer && e.mark == r.T;
    }

    function _moreSteps(uint256 requestId) private view returns (bool) {
        uint256 head = requests[requestId].head;
        return head < entries[requestId].length && _dead(requests[requestId], entries[requestId][head]);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
