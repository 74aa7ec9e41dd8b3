// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC2981} from "@openzeppelin/contracts/token/common/ERC2981.sol";
import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {AIOracle} from "./AIOracle.sol";
import {Blob} from "./lib/Blob.sol";
import "./nft/Errors.sol";
import {IERC7007, IERC7007Enumerable, IERC7007Updatable} from "./nft/IERC7007.sol";
import {CollectionTerms} from "./nft/Terms.sol";
import {AIOracleCallbackReceiver} from "./oracle/AIOracleCallbackReceiver.sol";
import {Mode, Request, Status} from "./oracle/Requests.sol";

/// @title What a model makes of prompts, as tokens, ERC-7007 (docs/tokens.md)
/// @notice A token's number is the hash of its prompt, the model's input. It is minted when the oracle brings the first answer, changed if a
/// later one differs, and burnt if the answer is taken back. No owner.
contract AigcCollection is ERC721, ERC2981, AIOracleCallbackReceiver, IERC7007Enumerable, IERC7007Updatable {
    event PromptCommitted(address indexed account, bytes32 indexed commitment);
    event Requested(uint256 indexed tokenId, uint256 indexed requestId, address indexed minter);
    event TakenBack(uint256 indexed tokenId, uint256 indexed requestId);

    struct Content {
        uint256 requestId; // 0: the prompt is nobody's
        address minter;
        address prompt; // where its bytes are
        address data; // where the model's output is; 0 before the first answer
        bytes32 dataHash;
    }

    /// @notice The listing at the oracle whose answers are the content.
    uint256 public immutable MODEL_ID;
    /// @notice Gas of the oracle's callback.
    uint64 public immutable CALLBACK_GAS;

    mapping(bytes32 commitment => uint256) public committedAt;
    mapping(uint256 tokenId => Content) private contents;
    mapping(uint256 requestId => uint256) private tokens;

    constructor(CollectionTerms memory terms, AIOracle oracle, uint256 modelId, address royaltyReceiver)
        ERC721(terms.name, terms.symbol)
        AIOracleCallbackReceiver(oracle)
    {
        (MODEL_ID, CALLBACK_GAS) = (modelId, terms.callbackGas);
        _setDefaultRoyalty(royaltyReceiver, terms.royalty);
    }

    /// @notice Announces a prompt without showing it: keccak256(abi.encode(sender, keccak256(prompt), salt)). Comes at least a block before
    /// `mint`, so that whoever sees the prompt there is too late to take it.
    function commitPrompt(bytes32 commitment) external {
        if (committedAt[commitment] == 0) committedAt[commitment] = block.number;
        emit PromptCommitted(msg.sender, commitment);
    }

    /// @notice Asks the model what it makes of a prompt that was announced; the token is the sender's when the answer comes. The value is
    /// `mintFee`, what is more is credited to the sender at the oracle.
    function mint(bytes calldata prompt_, bytes32 salt) external payable returns (uint256 requestId) {
        uint256 id = tokenId(prompt_);
        uint256 since = committedAt[keccak256(abi.encode(msg.sender, bytes32(id), salt))];
        if (since == 0) revert NoCommitment();
        if (since >= block.number) revert CommitmentTooYoung();
        Content storage c = contents[id];
        if (c.requestId != 0 && !_dropped(id, c)) revert PromptTaken();
        (c.minter, c.prompt) = (msg.sender, Blob.store(prompt_));
        requestId = _oracle().requestCallback{value: msg.value}(
            MODEL_ID, prompt_, address(this), CALLBACK_GAS, "", Mode.OPTIMISTIC, msg.sender
        );
        c.requestId = requestId;
        tokens[requestId] = id;
        emit Requested(id, requestId, msg.sender);
    }

    /// @notice What a mint costs, in wei.
    function mintFee() external view returns (uint256) {
        return aiOracle.estimateFee(MODEL_ID, CALLBACK_GAS);
    }

    /// @notice Brings an answer. Only the oracle.
    function aiOracleCallback(uint256 requestId, bytes calldata output, bytes calldata) external onlyAIOracleCallback {
        uint256 id = tokens[requestId];
        Content storage c = contents[id];
        if (requestId == 0 || c.requestId != requestId) revert UnknownPrompt();
        if (output.length == 0) _takeBack(id, c);
        else if (c.data == address(0)) _fill(id, c, output, "");
        else if (c.dataHash != keccak256(output)) _replace(id, c, output);
    }

    /// @inheritdoc IERC7007
    /// @dev For a callback that failed: the oracle's first or final answer to the prompt, whoever brings it. `proof` is only logged.
    function addAigcData(uint256 tokenId_, bytes calldata prompt_, bytes calldata aigcData, bytes calldata proof) external {
        if (tokenId(prompt_) != tokenId_) revert NotThePrompt();
        Content storage c = _asked(tokenId_);
        if (c.data != address(0)) revert HasContent();
        Request memory r = _oracle().requestOf(c.requestId);
        bytes32 current = r.status == Status.ANSWERED ? r.answer : r.delivered;
        if (r.status == Status.REFUNDED || current != keccak256(aigcData) || aigcData.length == 0) revert NotTheAnswer();
        _fill(tokenId_, c, aigcData, proof);
    }

    /// @inheritdoc IERC7007Updatable
    /// @dev For a callback that failed: the final answer, whoever brings it.
    function update(bytes calldata prompt_, bytes calldata aigcData) external {
        uint256 id = tokenId(prompt_);
        Content storage c = _asked(id);
        if (c.data == address(0) || !_isFinal(c, aigcData)) revert NotTheAnswer();
        if (c.dataHash == keccak256(aigcData)) revert SameContent();
        _replace(id, c, aigcData);
    }

    /// @notice Burns a token whose answer the oracle took back, if its callback failed. Anybody may.
    function takeBack(uint256 tokenId_) external {
        Content storage c = _asked(tokenId_);
        if (c.data == address(0) || _oracle().requestOf(c.requestId).status != Status.REFUNDED) revert NotTheAnswer();
        _takeBack(tokenId_, c);
    }

    /// @inheritdoc IERC7007
    /// @dev True exactly for minted tokens and the final answer of MODEL_ID to the prompt. `proof` is not needed: the claim stands on chain.
    function verify(bytes calldata prompt_, bytes calldata aigcData, bytes calldata) external view returns (bool) {
        uint256 id = tokenId(prompt_);
        return _ownerOf(id) != address(0) && _isFinal(contents[id], aigcData);
    }

    /// @inheritdoc IERC7007Enumerable
    function tokenId(bytes calldata prompt_) public pure returns (uint256) {
        return uint256(keccak256(prompt_));
    }

    /// @inheritdoc IERC7007Enumerable
    function prompt(uint256 tokenId_) external view returns (string memory) {
        _requireOwned(tokenId_);
        return string(Blob.load(contents[tokenId_].prompt));
    }

    /// @notice A token's content as it is known now; `verify` tells whether it is final.
    function aigcDataOf(uint256 tokenId_) public view returns (bytes memory) {
        _requireOwned(tokenId_);
        return Blob.load(contents[tokenId_].data);
    }

    /// @notice The request that was made for a prompt, by its hash; 0 if there is none.
    function requestOf(uint256 tokenId_) external view returns (uint256) {
        return contents[tokenId_].requestId;
    }

    /// @notice JSON metadata, all on chain.
    function tokenURI(uint256 tokenId_) public view override returns (string memory) {
        bytes memory data = aigcDataOf(tokenId_);
        string memory json = string.concat(
            '{"name":"', name(), " ", Strings.toHexString(tokenId_ >> 224, 4), '","aigc_type":"bytes","proof_type":"fraud (opML)"',
            ',"prompt":"data:application/octet-stream;base64,', Base64.encode(Blob.load(contents[tokenId_].prompt)),
            '","aigc_data":"data:application/octet-stream;base64,', Base64.encode(data), '"}'
        );
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 id) public view override(ERC721, ERC2981, IERC165) returns (bool) {
        return id == type(IERC7007).interfaceId || id == type(IERC7007Enumerable).interfaceId
            || id == type(IERC7007Updatable).interfaceId || super.supportsInterface(id);
    }

    /// @dev Whether a request was refunded without an answer, so that the prompt is free again.
    function _dropped(uint256 id, Content storage c) private view returns (bool) {
        return _ownerOf(id) == address(0) && _oracle().requestOf(c.requestId).status == Status.REFUNDED;
    }

    function _asked(uint256 id) private view returns (Content storage c) {
        c = contents[id];
        if (c.requestId == 0) revert UnknownPrompt();
    }

    function _isFinal(Content storage c, bytes calldata aigcData) private view returns (bool) {
        uint256 request = c.requestId;
        return request != 0 && aiOracle.isFinalized(request) && _oracle().answerOf(request) == keccak256(aigcData);
    }

    /// @dev The first content; the token is minted with it. No hook of the receiver is called: it could refuse the oracle's answer.
    function _fill(uint256 id, Content storage c, bytes calldata output, bytes memory proof) private {
        (c.data, c.dataHash) = (Blob.store(output), keccak256(output));
        _mint(c.minter, id);
        emit AigcData(id, Blob.load(c.prompt), output, proof);
    }

    function _replace(uint256 id, Content storage c, bytes calldata output) private {
        (c.data, c.dataHash) = (Blob.store(output), keccak256(output));
        emit Update(id, Blob.load(c.prompt), output);
    }

    function _takeBack(uint256 id, Content storage c) private {
        emit TakenBack(id, c.requestId);
        delete contents[id];
        if (_ownerOf(id) != address(0)) _burn(id);
    }

    function _oracle() private view returns (AIOracle) {
        return AIOracle(address(aiOracle));
    }
}
