//! The one source of randomness: a seeded stream with the same numbers on every machine.
//!
//! Everything is derived from the 32-bit words of ChaCha8 with integer arithmetic, because the sampling
//! functions of `rand` may change with its version and differ with the width of a pointer.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A seeded stream of random values.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// The stream number keeps what two parts of the generator draw independent of each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// An index below `len`, which must fit 32 bits.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len as u32) as usize
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.below(1_000) < per_mille
    }

    /// One of `items`, all equally likely.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.index(items.len())]
    }

    /// An index below `len`, the first ones much likelier than the last ones (the cube of a uniform number).
    pub(crate) fn skewed_index(&mut self, len: usize) -> usize {
        let uniform = u64::from(self.0.next_u32());
        let cube = (((uniform * uniform) >> 32) * uniform) >> 32;
        ((cube * len as u64) >> 32) as usize
    }

    /// A duration around `typical_us`, rarely many times longer, as latencies are (Pareto, shape 2).
    pub(crate) fn latency_us(&mut self, typical_us: u32) -> u64 {
        let uniform = (f64::from(self.0.next_u32()) + 1.0) / 4_294_967_296.0;
        let typical = f64::from(typical_us);
        // Square root and the four operations are exact to the last bit everywhere, unlike `powf` or `ln`.
        let long = (typical * 0.4 / uniform.sqrt()).min(typical * 60.0);
        (typical * 0.4 + long) as u64
    }

    /// 64 random bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Random bytes, never all zero: an identifier of zeros means "none" in OTLP.
    pub(crate) fn id<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes[0] |= 1;
        bytes
    }

    /// Lower-case letters and digits, as orchestrators append to names.
    pub(crate) fn suffix(&mut self, len: usize) -> String {
        const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..len).map(|_| char::from(ALPHABET[self.index(ALPHABET.len())])).collect()
    }
}
