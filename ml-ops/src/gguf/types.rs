//! Tensor types: how many elements a block has and how many bytes it takes.

macro_rules! define_types {
    ($(($name:ident, $code:literal, $block:literal, $bytes:literal),)*) => {
        /// How the elements of a tensor are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(non_camel_case_types, reason = "the names that the format has for them")]
        pub enum TensorType {
            $(#[doc = stringify!($name)] $name,)*
        }
        impl TensorType {
            /// All types that are read.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The type of a code in the file.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
            /// The code in the file.
            pub const fn code(self) -> u32 { match self { $(Self::$name => $code,)* } }
            /// Elements of a block.
            pub const fn block(self) -> u64 { match self { $(Self::$name => $block,)* } }
            /// Bytes of a block.
            pub const fn bytes(self) -> u64 { match self { $(Self::$name => $bytes,)* } }
        }
    };
}
define_types! {
    (F32, 0, 1, 4),
    (F16, 1, 1, 2),
    (Q4_0, 2, 32, 18),
    (Q4_1, 3, 32, 20),
    (Q5_0, 6, 32, 22),
    (Q5_1, 7, 32, 24),
    (Q8_0, 8, 32, 34),
    (Q4_K, 12, 256, 144),
    (Q5_K, 13, 256, 176),
    (Q6_K, 14, 256, 210),
    (BF16, 30, 1, 2),
}
