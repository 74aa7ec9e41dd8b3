// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

error BadOffering();
error SaleOver();
error SaleRuns();
error BadAmount();
error BadPayment();
error AboveCap();
error NotRefundable();
error NothingPaid();
