// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

error BadTokenTerms();
error NotMinter();
error NotLaunched();
error AlreadyLaunched();
error SnapshotTooSoon();
error NothingToClaim();
error UnknownAsset();
error PaymentFailed();
error TooLittleGasForAssets();
