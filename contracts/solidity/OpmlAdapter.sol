// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FALSE, FINAL} from "./game/ClaimWord.sol";
import {disputeIdOf} from "./game/State.sol";
import {Claim} from "./game/Types.sol";
import {
    AlreadyRegistered,
    BadTerms,
    ClaimIsFalse,
    NoSuchClaim,
    OtherTask,
    UnknownListing,
    UnknownRequest,
    WrongOutput
} from "./oracle/Errors.sol";
import {IDispute} from "./oracle/IDispute.sol";
import {IOpml} from "./oracle/IOpml.sol";
import {Inputs} from "./oracle/Inputs.sol";

/// @title ORA's opML interface over the same claims (docs/oracle.md)
/// @notice Holds no money: who uploads a result has claimed it on the claims contract, who starts a challenge has opened a dispute there.
/// `modelHash` is the model's root, `programHash` its program's. The requests of an adapter have one tier and one longest run.
contract OpmlAdapter is IOpml {
    using Inputs for bytes;

    event ModelUploaded(bytes32 indexed modelHash, bytes32 indexed programHash);
    event OpmlRequest(uint256 indexed requestId, bytes32 indexed modelHash, bytes32 indexed taskId, bytes input);
    event ResultUploaded(uint256 indexed requestId, bytes32 indexed claimId, address indexed submitter);
    event ChallengeStarted(uint256 indexed requestId, bytes32 indexed disputeId, address indexed challenger);

    struct Asked {
        bytes32 taskId;
        bytes32 claimId; // the latest claim that was uploaded: an earlier one has fallen
        bytes output;
    }

    IDispute public immutable dispute;
    uint64 public immutable MAX_T;
    uint8 public immutable TIER;

    uint256 public requestCount;
    mapping(bytes32 modelHash => bytes32) private programs;
    mapping(bytes32 modelHash => bytes) private headers;
    mapping(bytes32 modelHash => bool) private uploaded;
    mapping(uint256 requestId => Asked) private asked;

    constructor(IDispute dispute_, uint64 maxT, uint8 tier) {
        if (maxT == 0) revert BadTerms();
        (dispute, MAX_T, TIER) = (dispute_, maxT, tier);
    }

    /// @notice Tells what a model is made of, from which its root follows. Comes before `uploadModel`.
    function describeModel(
        bytes32 programRoot,
        bytes32 constsRoot,
        uint32 N,
        uint32 nConsts,
        uint32 out,
        uint32 halt,
        bytes calldata inputHeaders
    ) external returns (bytes32 modelHash) {
        modelHash = dispute.registerModel(programRoot, constsRoot, N, nConsts, out, halt, inputHeaders);
        (programs[modelHash], headers[modelHash]) = (programRoot, inputHeaders);
    }

    /// @inheritdoc IOpml
    function uploadModel(bytes32 modelHash, bytes32 programHash) external {
        if (programHash == 0 || programs[modelHash] != programHash) revert UnknownListing();
        uploaded[modelHash] = true;
        emit ModelUploaded(modelHash, programHash);
    }

    /// @inheritdoc IOpml
    function initOpmlRequest(bytes32 modelHash, bytes32 programHash, bytes calldata input)
        external
        returns (uint256 requestId)
    {
        if (!uploaded[modelHash] || programs[modelHash] != programHash) revert UnknownListing();
        bytes memory inputHeaders = headers[modelHash];
        bytes32 taskId = dispute.openTask(modelHash, MAX_T, TIER, inputHeaders, input.split(inputHeaders));
        requestId = ++requestCount;
        asked[requestId].taskId = taskId;
        emit OpmlRequest(requestId, modelHash, taskId, input);
    }

    /// @inheritdoc IOpml
    /// @dev The sender's claim of a run of MAX_T with the request's number as its nonce.
    function uploadResult(uint256 requestId, bytes calldata output) external {
        Claim memory c = Claim(_known(requestId).taskId, MAX_T, keccak256(output), msg.sender, uint64(requestId));
        _upload(requestId, c, output);
    }

    /// @notice The same for any claim of anybody.
    function uploadClaim(uint256 requestId, Claim calldata c, bytes calldata output) external {
        if (_known(requestId).taskId != c.taskId) revert OtherTask();
        if (keccak256(output) != c.outputHash) revert WrongOutput();
        _upload(requestId, c, output);
    }

    /// @inheritdoc IOpml
    /// @dev The sender's dispute of the uploaded claim, opened with the request's number (16 bits of it) as its nonce. Its number is the
    /// dispute's name; all else that the interface carries is said by the moves of the dispute.
    function startChallenge(uint256 requestId, bytes calldata, bytes32, uint256) external returns (uint256 challengeId) {
        bytes32 id = disputeIdOf(_known(requestId).claimId, msg.sender, uint16(requestId));
        if (dispute.disputeOf(id) == 0) revert NoSuchClaim();
        emit ChallengeStarted(requestId, id, msg.sender);
        return uint256(id);
    }

    /// @inheritdoc IOpml
    function isFinalized(uint256 requestId) external view returns (bool) {
        return _status(asked[requestId].claimId) == FINAL;
    }

    /// @inheritdoc IOpml
    /// @dev Empty if nothing was uploaded or what was uploaded has fallen.
    function getOutput(uint256 requestId) external view returns (bytes memory) {
        return _status(asked[requestId].claimId) == FALSE ? bytes("") : asked[requestId].output;
    }

    /// @notice The task that a request stands for.
    function taskOf(uint256 requestId) external view returns (bytes32) {
        return asked[requestId].taskId;
    }

    /// @notice The claim that was uploaded last.
    function claimOf(uint256 requestId) external view returns (bytes32) {
        return asked[requestId].claimId;
    }

    /// @dev A claim takes the place of a fallen one, or, once it is final, of one that is not.
    function _upload(uint256 requestId, Claim memory c, bytes calldata output) private {
        bytes32 id = dispute.claimIdOf(c);
        uint256 status = _status(id);
        if (status == 0) revert NoSuchClaim();
        if (status == FALSE) revert ClaimIsFalse();
        Asked storage a = asked[requestId];
        uint256 before = _status(a.claimId);
        if (a.claimId == id || before == FINAL || (before != 0 && before != FALSE && status != FINAL)) {
            revert AlreadyRegistered();
        }
        (a.claimId, a.output) = (id, output);
        emit ResultUploaded(requestId, id, c.submitter);
    }

    function _known(uint256 requestId) private view returns (Asked storage a) {
        a = asked[requestId];
        if (a.taskId == 0) revert UnknownRequest();
    }

    function _status(bytes32 claimId) private view returns (uint256) {
        return claimId == 0 ? 0 : dispute.claimOf(claimId).status();
    }
}
