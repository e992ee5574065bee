//! Contents that can be made again from their names, and random numbers that a seed repeats.

/// Largest content, about. Bytes.
const MOST: u64 = 1 << 20;

/// A generator, the same for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The content of this name: up to 1 MiB, each order of magnitude as often as any other. No other
/// name has it, so those of less than 16 bytes are for the names of which there are few.
pub(crate) fn content(name: &str) -> Vec<u8> {
    let seed = blake3::hash(name.as_bytes());
    let mut rng = Rng::new(u64::from_le_bytes(seed.as_bytes()[..8].try_into().unwrap()));
    let most = MOST >> rng.below(u64::from(MOST.ilog2()));
    let len = match name.strip_prefix("tiny.").and_then(|number| number.parse().ok()) {
        Some(number) => number,
        None => 16 + rng.below(most),
    };
    let len = usize::try_from(len).unwrap();
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&rng.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
