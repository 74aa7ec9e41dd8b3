//! Hashes and the preimages whose layout the game itself must know.

/// A 32-byte hash.
pub type Hash = [u8; 32];

/// The hash of a node that covers no real leaf, and the root of an empty tree.
pub const ZERO: Hash = [0; 32];

/// Bytes of one tensor leaf.
pub const LEAF_BYTES: usize = 256;

/// The commitment hash `H`. The game never looks inside it.
pub trait Hashing {
    /// `H(bytes)`.
    fn hash(&self, bytes: &[u8]) -> Hash;

    /// The hash of an inner node, `H(left ‖ right)`.
    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [0; 64];
        let (l, r) = bytes.split_at_mut(32);
        l.copy_from_slice(left);
        r.copy_from_slice(right);
        self.hash(&bytes)
    }
}

impl<H: Hashing + ?Sized> Hashing for &H {
    fn hash(&self, bytes: &[u8]) -> Hash {
        (**self).hash(bytes)
    }

    fn node(&self, left: &Hash, right: &Hash) -> Hash {
        (**self).node(left, right)
    }
}

/// Header hash `H(dtype:u8 ‖ elements:u64 ‖ root:32)`, big-endian: a leaf of the trace.
pub fn header(h: &(impl Hashing + ?Sized), dtype: u8, elements: u64, root: &Hash) -> Hash {
    let mut bytes = Vec::with_capacity(41);
    bytes.push(dtype);
    bytes.extend_from_slice(&elements.to_be_bytes());
    bytes.extend_from_slice(root);
    h.hash(&bytes)
}

/// Partials as they travel: signed, big-endian, all with the least width, 1 to 16 bytes, that holds every one.
#[must_use]
pub fn encode_partials(partials: &[i128]) -> Vec<u8> {
    let width = partials.iter().map(|p| width(*p)).max().unwrap_or(1);
    partials.iter().flat_map(|p| p.to_be_bytes().into_iter().skip(16_usize.saturating_sub(width))).collect()
}

/// Bytes that hold a signed number: one bit for the sign.
fn width(p: i128) -> usize {
    let magnitude = if p < 0 { !p } else { p };
    let bits = 129_u32.saturating_sub(magnitude.leading_zeros());
    usize::try_from(bits.div_ceil(8)).unwrap_or(16)
}

/// Hash of revealed partials: `H` of [`encode_partials`].
pub fn partials(h: &(impl Hashing + ?Sized), partials: &[i128]) -> Hash {
    h.hash(&encode_partials(partials))
}

/// Leaf `index` of a tensor's bytes, filled with zero bytes.
#[must_use]
pub fn cut_leaf(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut leaf: Vec<u8> = bytes.iter().skip(index.saturating_mul(LEAF_BYTES)).take(LEAF_BYTES).copied().collect();
    leaf.resize(LEAF_BYTES, 0);
    leaf
}

/// Hashes of all leaves of a tensor's bytes.
pub fn leaf_hashes(h: &(impl Hashing + ?Sized), bytes: &[u8]) -> Vec<Hash> {
    (0..bytes.len().div_ceil(LEAF_BYTES)).map(|i| h.hash(&cut_leaf(bytes, i))).collect()
}

#[cfg(test)]
mod tests {
    use super::encode_partials;

    #[test]
    fn partials_have_the_least_common_width() {
        assert_eq!(encode_partials(&[0, -1, 127, -128]), [0, 0xff, 0x7f, 0x80]);
        assert_eq!(encode_partials(&[128, -1]), [0, 0x80, 0xff, 0xff]);
        assert_eq!(encode_partials(&[-129]), [0xff, 0x7f]);
        assert_eq!(encode_partials(&[i128::MIN, 1]).len(), 32);
        assert_eq!(encode_partials(&[i128::MAX >> 8]).len(), 15);
    }
}
