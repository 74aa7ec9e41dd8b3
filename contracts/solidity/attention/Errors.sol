// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

error BadTerms();
error NotMember();
error Joined();
error NotJoined();
error NotLeft();
error NotSubmitter();
error WrongValue();
error NotPending();
error WrongTier();
error TooLate();
error TooEarly();
error Attended();
error NobodyActive();
error NotAsked();
error Answered();
error TraceOpen();
error WrongTrace();
error NotOver();
error BadSignature();
