// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice What the faulty collection asks.
interface IAnswers {
    function isFinalized(uint256 requestId) external view returns (bool);

    function getOutput(uint256 requestId) external view returns (bytes memory);
}

/// @notice A stand-in with known faults of ERC-7007 collections: no ERC-165 id of its own, request 0 taken for one, and whoever comes binds.
contract FaultyCollection is ERC721("Faulty", "F") {
    IAnswers private immutable ANSWERS;
    mapping(uint256 tokenId => uint256) public requestOf;

    constructor(IAnswers answers) {
        ANSWERS = answers;
    }

    function mint(address to, bytes calldata prompt) external {
        _mint(to, uint256(keccak256(prompt)));
    }

    function addAigcData(uint256 tokenId, bytes calldata prompt, uint256 request) external {
        require(uint256(keccak256(prompt)) == tokenId && requestOf[tokenId] == 0);
        requestOf[tokenId] = request;
    }

    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata) external view returns (bool) {
        uint256 request = requestOf[uint256(keccak256(prompt))];
        return ANSWERS.isFinalized(request) && keccak256(ANSWERS.getOutput(request)) == keccak256(aigcData);
    }
}
