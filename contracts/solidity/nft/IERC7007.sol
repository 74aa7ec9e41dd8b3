// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";

/// @notice ERC-7007: tokens of content that a model made. ERC-165 id 0x702c55a6.
interface IERC7007 is IERC721 {
    event AigcData(uint256 indexed tokenId, bytes indexed prompt, bytes indexed aigcData, bytes proof);

    /// @notice Gives a token its content.
    function addAigcData(uint256 tokenId, bytes calldata prompt, bytes calldata aigcData, bytes calldata proof)
        external;

    /// @notice Whether the content is what the model makes of the prompt, for certain.
    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof) external view returns (bool);
}

/// @notice The enumerable extension. ERC-165 id 0xfa1a557a.
interface IERC7007Enumerable is IERC7007 {
    function tokenId(bytes calldata prompt) external view returns (uint256);

    function prompt(uint256 tokenId) external view returns (string memory);
}

/// @notice The updatable extension. ERC-165 id 0x3f37dce2.
interface IERC7007Updatable is IERC7007 {
    event Update(uint256 indexed tokenId, bytes indexed prompt, bytes indexed aigcData);

    /// @notice Replaces content that was overturned.
    function update(bytes calldata prompt, bytes calldata aigcData) external;
}
