// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// The instruction set as numbers, generated from the table of the `vm` crate by `cargo xtask generate`; see docs/SPEC.md for the meaning.

uint256 constant MAX_ENCODED = 4096;
uint256 constant MAX_RANK = 8;
uint256 constant MAX_CONSTANTS = 32;
uint256 constant MAX_OPS = 128;
uint256 constant MAX_LOADS = 16;
uint256 constant MAX_DYNAMICS = 16;
uint256 constant MAX_TERMS = 4;
uint256 constant MAX_ELEMENTS = 1099511627776;
uint256 constant ARGMAX_TERMS = 4294967296;
uint256 constant EXTENT_LIMIT = 2147483648;
uint256 constant MAX_SHIFT = 126;

uint256 constant SLOT_T = 0;
uint256 constant SLOT_O = 1;
uint256 constant SLOT_K = 9;
uint256 constant SLOT_ACC = 17;
uint256 constant SLOT_CONST = 18;

uint256 constant DTYPE_U8 = 0;
uint256 constant DTYPE_I8 = 1;
uint256 constant DTYPE_I16 = 2;
uint256 constant DTYPE_I32 = 3;
uint256 constant DTYPE_I64 = 4;
uint256 constant DTYPE_I4 = 5;

uint256 constant REDUCER_SUM = 0;
uint256 constant REDUCER_MAX = 1;
uint256 constant REDUCER_MIN = 2;
uint256 constant REDUCER_ARGMAX = 3;

uint256 constant OP_LOAD = 0;
uint256 constant OP_ADD = 1;
uint256 constant OP_SUB = 2;
uint256 constant OP_MUL = 3;
uint256 constant OP_MIN = 4;
uint256 constant OP_MAX = 5;
uint256 constant OP_CLAMP = 6;
uint256 constant OP_ABS = 7;
uint256 constant OP_AND = 8;
uint256 constant OP_OR = 9;
uint256 constant OP_XOR = 10;
uint256 constant OP_SHL = 11;
uint256 constant OP_SHR = 12;
uint256 constant OP_RSHR = 13;
uint256 constant OP_MULSHR = 14;
uint256 constant OP_DIV = 15;
uint256 constant OP_REM = 16;
uint256 constant OP_ISQRT = 17;
uint256 constant OP_LOG2 = 18;
uint256 constant OP_EQ = 19;
uint256 constant OP_LT = 20;
uint256 constant OP_SELECT = 21;

// Two bits for each operation: how many operands it reads.
uint256 constant OP_ARITIES = 0x0e96baaa7aa8;
// A byte for each dtype: its bits.
uint256 constant DTYPE_BITS = 0x044020100808;
