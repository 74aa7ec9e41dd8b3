//! Which vector instructions the kernels use: the best this CPU has, or what `OPML_KERNELS` says.
//!
//! Every tier computes the same bits, so the choice is one of speed only, and a way to test each of them. Kernels take
//! their tier as an argument; [`Tier::current`] is the one to pass where nothing else is asked for.

use std::{env, ffi::OsString, sync::OnceLock};

use thiserror::Error;

/// The environment variable that names the tier.
pub const VARIABLE: &str = "OPML_KERNELS";

/// A set of vector instructions; of two that one CPU has, the greater one is faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Plain Rust, any CPU.
    Portable,
    /// 64-bit Arm: NEON, which all of them have.
    Neon,
    /// 64-bit Arm with products of four bytes (DotProd, since Armv8.4), and SHA-3's instructions where they are.
    NeonDot,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL and VNNI (all since Cascade Lake and Zen 4).
    Avx512,
    /// x86-64 with the above and the matrix unit (AMX) for 8-bit products, on Linux (since Sapphire Rapids).
    Amx,
}

/// Why the tier asked for is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TierError {
    /// No tier has that name.
    #[error("{VARIABLE} is {0:?}, which is none of {names}", names = names())]
    Unknown(String),
    /// The CPU lacks the instructions.
    #[error("{VARIABLE} asks for {}, which this CPU does not have; its best is {}", asked.name(), best.name())]
    Unsupported {
        /// What was asked for.
        asked: Tier,
        /// The best tier of this CPU.
        best: Tier,
    },
}

impl Tier {
    /// All tiers, slowest first.
    pub const ALL: [Self; 6] = [Self::Portable, Self::Neon, Self::NeonDot, Self::Avx2, Self::Avx512, Self::Amx];

    /// The name, as in the environment variable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Neon => "neon",
            Self::NeonDot => "neon-dotprod",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Amx => "amx",
        }
    }

    /// Whether this CPU has all instructions of the tier. Cheap: the CPU is asked once per process.
    pub fn is_supported(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => Self::Neon.is_supported() && std::arch::is_aarch64_feature_detected!("dotprod"),
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon | Self::NeonDot => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_supported()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Amx => Self::Avx512.is_supported() && crate::engine::has_matrix_unit(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 | Self::Amx => false,
        }
    }

    /// The tiers of this CPU, slowest first; tests go through them.
    pub fn supported() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|tier| tier.is_supported())
    }

    /// The best tier of this CPU.
    pub fn best() -> Self {
        Self::supported().last().unwrap_or(Self::Portable)
    }

    /// This tier, or the best one below it that this CPU has: what a kernel may run when it is handed any tier.
    pub fn usable(self) -> Self {
        Self::supported().filter(|&tier| tier <= self).last().unwrap_or(Self::Portable)
    }

    /// The tier to use: the one that `OPML_KERNELS` names, else the best. A bad value counts as none, which changes no
    /// result; a program that wants to refuse it asks [`Tier::checked`].
    pub fn current() -> Self {
        Self::checked().unwrap_or_else(|_| Self::best())
    }

    /// The tier to use, read once per process.
    ///
    /// # Errors
    /// `OPML_KERNELS` names no tier, or one that this CPU lacks.
    pub fn checked() -> Result<Self, TierError> {
        static TIER: OnceLock<Result<Tier, TierError>> = OnceLock::new();
        TIER.get_or_init(|| Self::from_variable(env::var_os(VARIABLE))).clone()
    }

    /// The tier for a value of the variable; without one, or with an empty one, the best.
    fn from_variable(value: Option<OsString>) -> Result<Self, TierError> {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(Self::best()) };
        let named = Self::ALL.into_iter().find(|tier| value.to_str() == Some(tier.name()));
        let asked = named.ok_or_else(|| TierError::Unknown(value.to_string_lossy().into_owned()))?;
        if asked.is_supported() { Ok(asked) } else { Err(TierError::Unsupported { asked, best: Self::best() }) }
    }
}

/// The names of all tiers.
fn names() -> String {
    Tier::ALL.map(Tier::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Tier, TierError};

    #[test]
    fn the_variable_names_a_tier_of_this_cpu() {
        assert_eq!(Tier::from_variable(None), Ok(Tier::best()));
        assert_eq!(Tier::from_variable(Some("".into())), Ok(Tier::best()));
        for tier in Tier::ALL {
            let expected = if tier.is_supported() {
                Ok(tier)
            } else {
                Err(TierError::Unsupported { asked: tier, best: Tier::best() })
            };
            assert_eq!(Tier::from_variable(Some(tier.name().into())), expected);
        }
        for unknown in ["AVX2", "avx", "avx512 "] {
            assert_eq!(Tier::from_variable(Some(unknown.into())), Err(TierError::Unknown(unknown.into())));
        }
    }

    /// A run of the tests may ask for a tier, which then has to be there. 64-bit Arm always has NEON.
    #[test]
    fn the_tier_of_this_process_is_what_was_asked_for() {
        assert_eq!(Tier::checked(), Ok(Tier::current()));
        assert_eq!(Tier::Neon.is_supported(), cfg!(target_arch = "aarch64"));
    }

    #[test]
    fn refusals_say_what_was_asked() {
        let unknown = TierError::Unknown("sse".into());
        let words = "OPML_KERNELS is \"sse\", which is none of portable, neon, neon-dotprod, avx2, avx512, amx";
        assert_eq!(unknown.to_string(), words);
        let lacking = TierError::Unsupported { asked: Tier::Avx512, best: Tier::Avx2 };
        let words = "OPML_KERNELS asks for avx512, which this CPU does not have; its best is avx2";
        assert_eq!(lacking.to_string(), words);
    }

    #[test]
    fn the_usable_tier_is_the_next_one_down() {
        for tier in Tier::ALL {
            let usable = tier.usable();
            assert!(usable <= tier && usable.is_supported());
            assert_eq!(usable == tier, tier.is_supported());
        }
        assert_eq!(Tier::best(), Tier::Amx.usable());
    }
}
