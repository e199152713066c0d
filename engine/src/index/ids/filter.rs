//! A set of numbers in nine to ten bits each: it has all that were put in, and seems to have one in 256 of the others.
//!
//! This is the binary fuse filter of Graf and Lemire ("Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022)
//! with three places for each number and eight bits in each place: the three places of a number that is in, combined by
//! exclusive or, give eight bits of the number itself.

/// Tries to make a filter before it is given up; each fails once in some hundred times.
const MAX_TRIES: u64 = 64;
/// Longest segment of places.
const MAX_SEGMENT_LENGTH: u32 = 1 << 18;

/// The set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) seed: u64,
    /// A power of two; 0 when the set is empty.
    pub(super) segment_length: u32,
    /// How many segments the first place of a number can be in.
    pub(super) segment_count: u32,
    /// As many places as two segments more have.
    pub(super) places: Box<[u8]>,
}

impl Filter {
    /// The set of some numbers, each of them once; none when it cannot be made.
    pub(super) fn of(numbers: &[u64]) -> Option<Self> {
        if numbers.is_empty() {
            return Some(Self { seed: 0, segment_length: 0, segment_count: 0, places: Box::default() });
        }
        let (segment_length, segment_count) = shape(numbers.len());
        (0..MAX_TRIES).find_map(|attempt| {
            let seed = mixed(attempt.wrapping_add(0x9E37_79B9_7F4A_7C15));
            let empty = Self { seed, segment_length, segment_count, places: Box::default() };
            empty.filled(numbers)
        })
    }

    /// Whether a number may be in the set.
    pub(super) fn may_have(&self, number: u64) -> bool {
        if self.segment_length == 0 {
            return false;
        }
        let hash = self.hash(number);
        let [first, second, third] = self.places_of(hash);
        fingerprint(hash) == self.places[first] ^ self.places[second] ^ self.places[third]
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.places.len()
    }

    /// How many places a shape has; none when there is no such shape.
    pub(super) fn num_places(segment_length: u32, segment_count: u32) -> Option<usize> {
        if segment_length == 0 {
            return (segment_count == 0).then_some(0);
        }
        let is_shape =
            segment_length.is_power_of_two() && segment_length <= MAX_SEGMENT_LENGTH && segment_count > 0;
        let num_places = u64::from(segment_length) * (u64::from(segment_count) + 2);
        (is_shape && num_places <= u64::from(u32::MAX)).then(|| usize::try_from(num_places).ok()).flatten()
    }

    fn filled(mut self, numbers: &[u64]) -> Option<Self> {
        let num_places = Self::num_places(self.segment_length, self.segment_count)?;
        // Of each place: how many numbers have it, and all of them combined.
        let mut counts = vec![0_u32; num_places];
        let mut combined = vec![0_u64; num_places];
        for number in numbers {
            let hash = self.hash(*number);
            for place in self.places_of(hash) {
                counts[place] += 1;
                combined[place] ^= hash;
            }
        }
        // A number that is alone in a place is decided there, after all others.
        let mut alone: Vec<usize> = (0..num_places).filter(|place| counts[*place] == 1).collect();
        let mut order = Vec::with_capacity(numbers.len());
        while let Some(place) = alone.pop() {
            if counts[place] != 1 {
                continue;
            }
            let hash = combined[place];
            order.push((hash, place));
            for other in self.places_of(hash) {
                counts[other] -= 1;
                combined[other] ^= hash;
                if counts[other] == 1 {
                    alone.push(other);
                }
            }
        }
        if order.len() != numbers.len() {
            return None;
        }
        let mut places = vec![0_u8; num_places];
        for (hash, place) in order.into_iter().rev() {
            let others = self.places_of(hash).into_iter().filter(|other| *other != place);
            places[place] = others.fold(fingerprint(hash), |bits, other| bits ^ places[other]);
        }
        self.places = places.into_boxed_slice();
        Some(self)
    }

    fn hash(&self, number: u64) -> u64 {
        mixed(number.wrapping_add(self.seed))
    }

    /// In three segments that follow each other.
    fn places_of(&self, hash: u64) -> [usize; 3] {
        let length = self.segment_length;
        let width = u64::from(self.segment_count) * u64::from(length);
        let first = ((u128::from(hash) * u128::from(width)) >> 64) as u32;
        let mask = length - 1;
        let second = (first + length) ^ ((hash >> 18) as u32 & mask);
        let third = (first + 2 * length) ^ (hash as u32 & mask);
        [first as usize, second as usize, third as usize]
    }
}

/// The length of a segment, and how many the first place can be in, as measured by the authors.
fn shape(num_numbers: usize) -> (u32, u32) {
    let size = num_numbers.max(2) as f64;
    let exponent = (size.ln() / 3.33_f64.ln() + 2.25).floor() as u32;
    let length = (1_u32 << exponent.min(18)).min(MAX_SEGMENT_LENGTH);
    let factor = (0.875 + 0.25 * 1e6_f64.ln() / size.ln()).max(1.125);
    let capacity = (size * factor).round() as u64;
    let segments = capacity.div_ceil(u64::from(length)).saturating_sub(2).max(1);
    (length, u32::try_from(segments).unwrap_or(u32::MAX))
}

fn fingerprint(hash: u64) -> u8 {
    (hash ^ (hash >> 32)) as u8
}

/// The finalizer of MurmurHash3: every bit of the input changes half of those of the output.
fn mixed(mut number: u64) -> u64 {
    number ^= number >> 33;
    number = number.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    number ^= number >> 33;
    number = number.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    number ^ (number >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_put_in_is_in_and_few_others_seem_to_be() {
        for num_numbers in [0_u64, 1, 2, 3, 10, 1_000, 40_000] {
            let numbers: Vec<u64> = (0..num_numbers).map(|number| mixed(number * 3)).collect();
            let filter = Filter::of(&numbers).unwrap();
            assert!(numbers.iter().all(|number| filter.may_have(*number)), "{num_numbers}");
            let others = 200_000;
            let seeming = (0..others).filter(|number| filter.may_have(mixed(number * 3 + 1))).count();
            assert!(seeming < others as usize / 128, "{seeming} of {others} with {num_numbers}");
        }
    }

    #[test]
    fn a_number_takes_ten_bits() {
        let numbers: Vec<u64> = (0..40_000).map(mixed).collect();
        let places = Filter::of(&numbers).unwrap().places.len();
        assert!(places * 8 < numbers.len() * 10, "{places}");
    }
}
