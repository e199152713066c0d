//! Which blocks hold some ranges of an object, and which of them are fetched together.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Bytes of a block. A remote store answers after some ten milliseconds and sends some ten MiB a second to one
/// connection, so that half a MiB costs about as much again as asking for it: smaller blocks would save little
/// time, larger ones would cost more for a narrow column. A cache of 10 GiB has 20,000 of them.
pub(super) const BLOCK_BYTES: u64 = 512 << 10;

/// Blocks that one request asks for. Longer runs are fetched by several requests at once, which is faster than one,
/// and a request fits its timeout on a slow line.
pub(super) const MAX_RUN_BLOCKS: u64 = 16;

/// Neighbouring blocks of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockRun {
    pub(super) first: u64,
    pub(super) num_blocks: u64,
}

impl BlockRun {
    /// The bytes of the object, the last of which may not be there.
    pub(super) fn byte_range(self) -> Range<u64> {
        self.first * BLOCK_BYTES..(self.first + self.num_blocks) * BLOCK_BYTES
    }

    pub(super) fn blocks(self) -> Range<u64> {
        self.first..self.first + self.num_blocks
    }
}

/// The blocks that hold `ranges`, each once, in order.
pub(super) fn blocks_of(ranges: &[Range<u64>]) -> Vec<u64> {
    let occupied = ranges.iter().filter(|range| range.start < range.end);
    let mut blocks: Vec<u64> =
        occupied.flat_map(|range| range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES).collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks
}

/// Blocks, in order, as the fewest runs.
pub(super) fn runs_of(blocks: &[u64]) -> Vec<BlockRun> {
    let mut runs: Vec<BlockRun> = Vec::new();
    for &block in blocks {
        match runs.last_mut() {
            Some(run) if run.blocks().end == block && run.num_blocks < MAX_RUN_BLOCKS => run.num_blocks += 1,
            _ => runs.push(BlockRun { first: block, num_blocks: 1 }),
        }
    }
    runs
}

/// The bytes of a range, copied from the blocks that hold it, so that a small range does not keep large blocks in
/// memory. `None` when a block is missing or ends too early.
pub(super) fn assemble(blocks: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> Option<Bytes> {
    let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
    let mut bytes = BytesMut::with_capacity(length);
    let mut at = range.start;
    while at < range.end {
        let number = at / BLOCK_BYTES;
        let block = blocks.get(&number)?;
        let start = (at - number * BLOCK_BYTES) as usize;
        let end = (range.end - number * BLOCK_BYTES).min(BLOCK_BYTES) as usize;
        bytes.extend_from_slice(block.get(start..end)?);
        at = number * BLOCK_BYTES + end as u64;
    }
    Some(bytes.freeze())
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is meant")]
mod tests {
    use super::*;

    const B: u64 = BLOCK_BYTES;

    #[test]
    fn ranges_touch_each_block_once() {
        assert!(blocks_of(&[]).is_empty());
        assert!(blocks_of(&[5..5]).is_empty(), "nothing is asked for");
        assert_eq!(blocks_of(&[0..1, 1..B]), [0]);
        assert_eq!(blocks_of(&[B - 1..B + 1]), [0, 1]);
        assert_eq!(blocks_of(&[3 * B..3 * B + 1, 0..1, 0..2 * B]), [0, 1, 3]);
    }

    #[test]
    fn neighbours_are_fetched_together_up_to_a_bound() {
        let run = |first, num_blocks| BlockRun { first, num_blocks };
        assert_eq!(runs_of(&[]), []);
        assert_eq!(runs_of(&[1, 2, 3, 7]), [run(1, 3), run(7, 1)]);
        let long: Vec<u64> = (0..MAX_RUN_BLOCKS + 2).collect();
        assert_eq!(runs_of(&long), [run(0, MAX_RUN_BLOCKS), run(MAX_RUN_BLOCKS, 2)]);
    }

    #[test]
    fn a_range_is_put_together_from_its_blocks() {
        let object: Vec<u8> = (0..2 * B + 10).map(|at| (at % 251) as u8).collect();
        let blocks: BTreeMap<u64, Bytes> = object
            .chunks(B as usize)
            .map(Bytes::copy_from_slice)
            .enumerate()
            .map(|(n, b)| (n as u64, b))
            .collect();
        for range in [0..1, B - 3..B + 3, 5..2 * B + 10, 2 * B..2 * B, 0..2 * B + 10] {
            let expected = &object[range.start as usize..range.end as usize];
            assert!(assemble(&blocks, &range).is_some_and(|bytes| bytes == expected), "{range:?}");
        }
        assert_eq!(assemble(&blocks, &(0..2 * B + 11)), None, "beyond the end");
        assert_eq!(assemble(&blocks, &(3 * B..3 * B + 1)), None);
        assert_eq!(assemble(&blocks, &Range { start: 2, end: 1 }), None);
    }
}
