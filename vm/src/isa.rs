//! The one table of the instruction set: dtypes, reducers, scalar operations and limits.
//!
//! The codec, the disassembler, the Solidity constants and the table in `docs/SPEC.md` all come from here.

/// Longest encoding of an instruction, bytes.
pub const MAX_ENCODED: usize = 4096;
/// Most axes of a domain or of a view.
pub const MAX_RANK: usize = 8;
/// Most constants of an instruction.
pub const MAX_CONSTANTS: usize = 32;
/// Most operations of a `map` or `post` program, loads included.
pub const MAX_OPS: usize = 128;
/// Most loads of a `map` or `post` program.
pub const MAX_LOADS: usize = 16;
/// Most dynamic extents of an instruction.
pub const MAX_DYNAMICS: usize = 16;
/// Index terms of an axis word.
pub const MAX_TERMS: usize = 4;
/// Most elements of a tensor, terms of a reduction, and trace leaves.
pub const MAX_ELEMENTS: u64 = 1 << 40;
/// Terms of an `argmax` stay below this, so that a term number fits 32 bits.
pub const ARGMAX_TERMS: u64 = 1 << 32;
/// Literal extents and dynamic caps stay below this.
pub const EXTENT_LIMIT: u32 = 1 << 31;
/// Most instructions of a model file.
pub const MAX_INSTRUCTIONS: u32 = 1 << 24;
/// Shift amounts are clamped to `0..=MAX_SHIFT`.
pub const MAX_SHIFT: i64 = 126;

/// Slot of the iteration number `t`.
pub const SLOT_T: u8 = 0;
/// Slot of output coordinate 0.
pub const SLOT_O: u8 = 1;
/// Slot of reduction coordinate 0.
pub const SLOT_K: u8 = 9;
/// Slot of the reduced value.
pub const SLOT_ACC: u8 = 17;
/// Slot of the first constant.
pub const SLOT_CONST: u8 = 18;

/// Calls `$then!` with the rows of the scalar operations: name, code, arity, formula.
#[macro_export]
macro_rules! for_each_op {
    ($then:ident) => {
        $then! {
            (Load, "load", 0, 0, "see §3.5"),
            (Add, "add", 1, 2, "a + b"),
            (Sub, "sub", 2, 2, "a − b"),
            (Mul, "mul", 3, 2, "a · b"),
            (Min, "min", 4, 2, "min(a, b)"),
            (Max, "max", 5, 2, "max(a, b)"),
            (Clamp, "clamp", 6, 3, "min(max(a, b), c)"),
            (Abs, "abs", 7, 1, "|a|"),
            (And, "and", 8, 2, "bitwise and of the 64-bit two's complement"),
            (Or, "or", 9, 2, "bitwise or"),
            (Xor, "xor", 10, 2, "bitwise exclusive or"),
            (Shl, "shl", 11, 2, "a · 2^b"),
            (Shr, "shr", 12, 2, "⌊a / 2^b⌋"),
            (Rshr, "rshr", 13, 2, "⌊(a + h) / 2^b⌋, h = 2^(b−1), or 0 if b = 0"),
            (Mulshr, "mulshr", 14, 3, "⌊(a·b + h) / 2^c⌋, h = 2^(c−1), or 0 if c = 0"),
            (Div, "div", 15, 2, "⌊a / b⌋, 0 if b = 0"),
            (Rem, "rem", 16, 2, "a − b·⌊a / b⌋, 0 if b = 0"),
            (Isqrt, "isqrt", 17, 1, "⌊√a⌋, 0 if a ≤ 0"),
            (Log2, "log2", 18, 1, "(bit length of a) − 1 = ⌊log2 a⌋, −1 if a ≤ 0"),
            (Eq, "eq", 19, 2, "1 if a = b, else 0"),
            (Lt, "lt", 20, 2, "1 if a < b, else 0"),
            (Select, "select", 21, 3, "b if a ≠ 0, else c"),
        }
    };
}

macro_rules! define_opcode {
    ($(($name:ident, $text:literal, $code:literal, $arity:literal, $formula:literal),)*) => {
        /// A scalar operation. The discriminant is the code in the encoding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Opcode {
            $(#[doc = $formula] $name,)*
        }
        impl Opcode {
            /// All operations in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The byte in the encoding.
            pub const fn code(self) -> u8 { match self { $(Self::$name => $code,)* } }
            /// The operation of a byte.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
            /// Operands read (0 for `load`, which has its own form).
            pub const fn arity(self) -> usize { match self { $(Self::$name => $arity,)* } }
            /// Mnemonic.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// The result as a formula over operands `a`, `b`, `c`.
            pub const fn formula(self) -> &'static str { match self { $(Self::$name => $formula,)* } }
        }
    };
}
for_each_op!(define_opcode);

/// Calls `$then!` with the rows of the element types: name, code, bits.
#[macro_export]
macro_rules! for_each_dtype {
    ($then:ident) => {
        $then! {
            (U8, "u8", 0, 8, 0, 255),
            (I8, "i8", 1, 8, -128, 127),
            (I16, "i16", 2, 16, -32768, 32767),
            (I32, "i32", 3, 32, -2147483648, 2147483647),
            (I64, "i64", 4, 64, i64::MIN, i64::MAX),
            (I4, "i4", 5, 4, -8, 7),
        }
    };
}

macro_rules! define_dtype {
    ($(($name:ident, $text:literal, $code:literal, $bits:literal, $min:expr, $max:expr),)*) => {
        /// An element type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum DType {
            $(#[doc = $text] $name,)*
        }
        impl DType {
            /// All types in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The byte in encodings and headers.
            pub const fn code(self) -> u8 { match self { $(Self::$name => $code,)* } }
            /// The type of a byte.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
            /// Width of an element in bits.
            pub const fn bits(self) -> u64 { match self { $(Self::$name => $bits,)* } }
            /// Name as in the specification.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// Smallest value.
            pub const fn min(self) -> i64 { match self { $(Self::$name => $min,)* } }
            /// Largest value.
            pub const fn max(self) -> i64 { match self { $(Self::$name => $max,)* } }
        }
    };
}
for_each_dtype!(define_dtype);

impl DType {
    /// Bytes of `elements` elements; `None` past `u64`.
    pub const fn bytes(self, elements: u64) -> Option<u64> {
        match elements.checked_mul(self.bits()) {
            Some(bits) => Some(bits.div_ceil(8)),
            None => None,
        }
    }

    /// Clamps to the range of the type.
    pub fn saturate(self, value: i64) -> i64 {
        value.clamp(self.min(), self.max())
    }

    /// Whether an instruction may write the type, or an input have it (all but i4).
    pub const fn is_writable(self) -> bool {
        !matches!(self, Self::I4)
    }
}

/// Calls `$then!` with the rows of the reducers: name, code.
#[macro_export]
macro_rules! for_each_reducer {
    ($then:ident) => {
        $then! {
            (Sum, "sum", 0),
            (Max, "max", 1),
            (Min, "min", 2),
            (Argmax, "argmax", 3),
        }
    };
}

macro_rules! define_reducer {
    ($(($name:ident, $text:literal, $code:literal),)*) => {
        /// How the terms of a reduction combine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reducer {
            $(#[doc = $text] $name,)*
        }
        impl Reducer {
            /// All reducers in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The byte in the encoding.
            pub const fn code(self) -> u8 { match self { $(Self::$name => $code,)* } }
            /// The reducer of a byte.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
            /// Name as in the specification.
            pub const fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}
for_each_reducer!(define_reducer);
