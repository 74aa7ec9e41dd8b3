// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// Listings and requests
error UnknownListing();
error BadTerms();
error BadInput();
error BadGasLimit();
error TooLittleValue();
error NoRevenue();

// Answers
error UnknownRequest();
error RequestClosed();
error DeadlinePassed();
error DeadlineNotPassed();
error BadBond();
error NoSuchClaim();
error ClaimIsFalse();
error OtherTask();
error AlreadyRegistered();
error WrongEntry();
error WrongReveal();
error TooSoon();
error TooLate();

// Delivery and money
error WrongOutput();
error NotFinal();
error AlreadyDelivered();
error NothingToRetry();
error NotAllowed();
error TooLittleGas();
error StillUndecided();
error AlreadySettled();
error LiveClaims();
