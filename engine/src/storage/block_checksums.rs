//! Checksums of a data file's pages, block by block: what a query reads of a file is checked without the rest of it.
//!
//! | key | value |
//! |---|---|
//! | `timberline.blocks_xxh3` | bytes of a block, a colon, and in base64 the lower 32 bits of each block's XXH3, little-endian |
//!
//! The first block begins with the file, the last one ends with its pages. What follows them has a checksum of its own.
//! A read takes whole blocks, so that it costs up to one block more at either end; the checksums cost a few bytes for
//! each block in the footer.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::checksums::PagesChecksum;

const KEY: &str = "timberline.blocks_xxh3";

/// Bytes of a block: four pages of the operating system. Smaller ones cost more in footers, larger ones more reading.
const BLOCK_BYTES: u64 = 16 << 10;

/// Checksums are kept of 32 bits: enough to miss one damaged block of four thousand million.
const SUM_BYTES: usize = 4;

/// Adds up the blocks of a file that is written from its beginning.
#[derive(Default)]
pub(super) struct BlockHasher {
    sums: Vec<u8>,
    /// Of the block that is not full.
    hasher: Xxh3,
    num_bytes: u64,
}

impl BlockHasher {
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = usize::try_from(BLOCK_BYTES - self.num_bytes).unwrap_or(usize::MAX);
            let (taken, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.hasher.update(taken);
            self.num_bytes += taken.len() as u64;
            if self.num_bytes == BLOCK_BYTES {
                self.end_block();
            }
            bytes = rest;
        }
    }

    /// The entry of the footer.
    pub(super) fn footer(mut self) -> KeyValue {
        if self.num_bytes > 0 {
            self.end_block();
        }
        KeyValue::new(KEY.to_owned(), format!("{BLOCK_BYTES}:{}", STANDARD_NO_PAD.encode(&self.sums)))
    }

    fn end_block(&mut self) {
        self.sums.extend_from_slice(&short(self.hasher.digest()).to_le_bytes());
        self.hasher.reset();
        self.num_bytes = 0;
    }
}

fn short(xxh3: u64) -> u32 {
    xxh3 as u32
}

/// The checksums of a file's blocks; of none for a file that others wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BlockChecksums {
    block_bytes: u64,
    /// Where the last block ends.
    pages_bytes: u64,
    sums: Vec<u32>,
}

impl BlockChecksums {
    /// The checksums that a footer has, which has been checked itself.
    ///
    /// # Errors
    /// When there is an entry and it does not fit the file.
    pub(crate) fn of(metadata: &ParquetMetaData) -> Result<Self, ParquetError> {
        let entries = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
        let Some(entry) = entries.iter().find(|entry| entry.key == KEY) else {
            return Ok(Self { block_bytes: BLOCK_BYTES, pages_bytes: 0, sums: Vec::new() });
        };
        let pages = PagesChecksum::parse(entries).ok().flatten();
        let parsed = pages.and_then(|pages| Self::parse(entry.value.as_deref()?, pages.num_bytes));
        parsed.ok_or_else(|| ParquetError::General(format!("its footer has a bad entry {KEY}")))
    }

    fn parse(value: &str, pages_bytes: u64) -> Option<Self> {
        let (block_bytes, sums) = value.split_once(':')?;
        let block_bytes: u64 = block_bytes.parse().ok().filter(|bytes| *bytes > 0)?;
        let bytes = STANDARD_NO_PAD.decode(sums).ok()?;
        let (sums, rest) = bytes.as_chunks::<SUM_BYTES>();
        let sums: Vec<u32> = sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
        let is_whole = rest.is_empty() && sums.len() as u64 == pages_bytes.div_ceil(block_bytes);
        is_whole.then_some(Self { block_bytes, pages_bytes, sums })
    }

    /// Memory they take.
    pub(crate) fn size_bytes(&self) -> usize {
        self.sums.len() * SUM_BYTES
    }

    /// Reads parts of the file with `fetch`, which is given ranges of whole blocks, and checks them.
    ///
    /// # Errors
    /// Those of `fetch`, and when a part is shorter than it should be or has another checksum.
    pub(crate) async fn fetch<F>(
        &self,
        ranges: &[Range<u64>],
        fetch: impl FnOnce(Vec<Range<u64>>) -> F,
    ) -> Result<Vec<Bytes>, ParquetError>
    where
        F: Future<Output = Result<Vec<Bytes>, ParquetError>>,
    {
        let runs = if self.sums.is_empty() { ranges.to_vec() } else { self.runs(ranges) };
        let parts = fetch(runs.clone()).await?;
        let lengths = runs.iter().map(|run| run.end.saturating_sub(run.start));
        if !parts.iter().map(|part| part.len() as u64).eq(lengths) {
            return Err(ParquetError::EOF("it is shorter than it should be".to_owned()));
        }
        if self.sums.is_empty() {
            return Ok(parts);
        }
        runs.iter().zip(&parts).try_for_each(|(run, part)| self.check(run.start, part))?;
        ranges.iter().map(|range| cut_out(range, &runs, &parts)).collect()
    }

    /// Whole blocks that hold all of some ranges: in order, and apart from each other.
    fn runs(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut widened: Vec<Range<u64>> =
            ranges.iter().filter(|range| !range.is_empty()).map(|range| self.widen(range)).collect();
        widened.sort_unstable_by_key(|range| range.start);
        let mut runs: Vec<Range<u64>> = Vec::with_capacity(widened.len());
        for range in widened {
            match runs.last_mut().filter(|last| range.start <= last.end) {
                Some(last) => last.end = last.end.max(range.end),
                None => runs.push(range),
            }
        }
        runs
    }

    fn widen(&self, range: &Range<u64>) -> Range<u64> {
        if range.start >= self.pages_bytes {
            return range.clone();
        }
        let start = range.start / self.block_bytes * self.block_bytes;
        let end = match range.end < self.pages_bytes {
            true => range.end.next_multiple_of(self.block_bytes).min(self.pages_bytes),
            false => range.end,
        };
        start..end
    }

    /// Checks bytes that begin with a block.
    fn check(&self, start: u64, bytes: &[u8]) -> Result<(), ParquetError> {
        let num_checked = usize::try_from(self.pages_bytes.saturating_sub(start)).unwrap_or(usize::MAX);
        let pages = &bytes[..num_checked.min(bytes.len())];
        let first = start / self.block_bytes;
        let block_bytes = usize::try_from(self.block_bytes).unwrap_or(usize::MAX);
        for (number, block) in (first..).zip(pages.chunks(block_bytes)) {
            let expected = usize::try_from(number).ok().and_then(|number| self.sums.get(number));
            if expected != Some(&short(xxh3_64(block))) {
                let offset = number * self.block_bytes;
                return Err(ParquetError::General(format!(
                    "its bytes from offset {offset} have another checksum"
                )));
            }
        }
        Ok(())
    }
}

/// The part of the runs that a range asks for.
fn cut_out(range: &Range<u64>, runs: &[Range<u64>], parts: &[Bytes]) -> Result<Bytes, ParquetError> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let index = runs.partition_point(|run| run.end <= range.start);
    let cut = runs.get(index).zip(parts.get(index)).and_then(|(run, part)| {
        let start = usize::try_from(range.start.checked_sub(run.start)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(run.start)?).ok()?;
        (end <= part.len()).then(|| part.slice(start..end))
    });
    cut.ok_or_else(|| ParquetError::General(format!("no bytes of {range:?} where they were read")))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is meant")]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Three blocks and a bit, then a footer.
    fn file() -> (Vec<u8>, u64) {
        let pages_bytes = 3 * BLOCK_BYTES + 700;
        let bytes = (0..pages_bytes + 50).map(|at| (at * 31 % 251) as u8).collect();
        (bytes, pages_bytes)
    }

    fn checksums(file: &[u8], pages_bytes: u64) -> BlockChecksums {
        let mut hasher = BlockHasher::default();
        for piece in file[..pages_bytes as usize].chunks(9_999) {
            hasher.update(piece);
        }
        BlockChecksums::parse(&hasher.footer().value.unwrap(), pages_bytes).unwrap()
    }

    fn read(
        file: &[u8],
        checksums: &BlockChecksums,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, ParquetError> {
        let fetch = |runs: Vec<Range<u64>>| async move {
            let part = |run: Range<u64>| Bytes::copy_from_slice(&file[run.start as usize..run.end as usize]);
            Ok(runs.into_iter().map(part).collect())
        };
        checksums.fetch(ranges, fetch).now_or_never().unwrap()
    }

    const RANGES: [Range<u64>; 6] =
        [40_000..40_010, 0..5, 16_383..16_385, 7..7, 49_152..49_852, 49_840..49_860];

    #[test]
    fn ranges_are_read_as_they_were_asked_for() {
        let (file, pages_bytes) = file();
        let checksums = checksums(&file, pages_bytes);
        let parts = read(&file, &checksums, &RANGES).unwrap();
        for (range, part) in RANGES.iter().zip(parts) {
            assert_eq!(part, &file[range.start as usize..range.end as usize], "{range:?}");
        }
        let runs = checksums.runs(&RANGES);
        assert_eq!(runs, [0..49_860], "neighbours are read at once");
        assert_eq!(checksums.runs(&[0..1, 40_000..40_001]), [0..16_384, 32_768..49_152]);
        assert_eq!(checksums.runs(&[49_853..49_860]), [49_853..49_860]);
    }

    #[test]
    fn a_flipped_bit_is_seen_by_whom_it_concerns() {
        let (file, pages_bytes) = file();
        let checksums = checksums(&file, pages_bytes);
        for at in (0..pages_bytes).step_by(61) {
            let mut flipped = file.clone();
            flipped[at as usize] ^= 1;
            let error = read(&flipped, &checksums, &[at..at + 1]).unwrap_err();
            let offset = at / BLOCK_BYTES * BLOCK_BYTES;
            assert!(error.to_string().contains(&format!("offset {offset} ")), "{error}");
            let other = if at < BLOCK_BYTES { pages_bytes - 1 } else { 0 };
            assert!(read(&flipped, &checksums, &[other..other + 1]).is_ok());
        }
    }

    #[test]
    fn what_is_shorter_than_it_should_be_is_refused() {
        let (file, pages_bytes) = file();
        let checksums = checksums(&file, pages_bytes);
        let fetch = |_| async { Ok(vec![Bytes::from_static(b"short")]) };
        assert!(checksums.fetch(&[0..100], fetch).now_or_never().unwrap().is_err());
    }

    #[test]
    fn entries_that_do_not_fit_the_file_are_refused() {
        let (file, pages_bytes) = file();
        let mut hasher = BlockHasher::default();
        hasher.update(&file);
        let value = hasher.footer().value.unwrap();
        assert_eq!(BlockChecksums::parse(&value, pages_bytes + 2 * BLOCK_BYTES), None);
        for bad in ["", "5", "0:", "16384:%", "16384:AAA"] {
            assert_eq!(BlockChecksums::parse(bad, 3), None, "{bad:?}");
        }
    }
}
