// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// Registration, tasks, tiers
error BadModel();
error UnknownModel();
error UnknownTask();
error UnknownTier();
error BadTier();
error BadLength();
error BadInputs();

// Claims
error BadValue();
error IdUsed();
error ClaimNotPending();
error ClaimNotFalse();
error WindowClosed();
error WindowOpen();
error DisputesOpen();
error TraceIsLate();
error TraceIsOpen();
error TraceNotOpened();
error WrongClaim();
error WrongTask();
error WrongOutput();
error NoHalt();

// Moves
error WrongState();
error WrongKind();
error WrongPlayer();
error Late();
error NotLate();
error TooEarly();
error TrailingBytes();
error BadChild();
error BadHash();
error BadHeader();
error BadPadding();
error BadElement();
error BadPartials();
error TooSmall();
error NoContradiction();

// Money
error NothingToWithdraw();
error TransferFailed();

// Batches
error WrongBatch();
error ClaimNotFinal();
