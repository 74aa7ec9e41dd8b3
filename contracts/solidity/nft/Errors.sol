// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

error NoCommitment();
error CommitmentTooYoung();
error PromptTaken();
error UnknownPrompt();
error NotThePrompt();
error NotTheAnswer();
error HasContent();
error SameContent();
