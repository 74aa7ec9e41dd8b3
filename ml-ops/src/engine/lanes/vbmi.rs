//! AVX-512 VBMI: permutations of the bytes of whole vectors. Not all CPUs of [`Tier::Avx512`] have it.

use crate::tier::Tier;

/// Whether it may be used in a tier.
pub(super) fn is_possible(tier: Tier) -> bool {
    #[cfg(target_arch = "x86_64")]
    return tier.usable() >= Tier::Avx512 && is_x86_feature_detected!("avx512vbmi");
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = tier;
        false
    }
}
