//! The bytes of a rollup, before compression; varints and signed varints as in `index/bytes.rs`.
//!
//! | content | |
//! |---|---|
//! | width of a bucket in microseconds | varint |
//! | earliest and latest timestamp | two signed |
//! | services: number, texts | varint, list |
//! | severities: number, texts | varint, list |
//! | series: number | varint |
//! | … service of each | varints |
//! | … severity of each | varints |
//! | … mean bytes of a row of each | varints |
//! | buckets: number | varint |
//! | … index of the first (its start divided by the width) | signed |
//! | … distance of each other one from the one before | varints |
//! | … number of cells of each, less one | varints |
//! | cells: series of each, as the distance behind the one before it in its bucket | varints |
//! | … number of rows of each, less one | varints |
//! | … bytes of each, less what its rows have by the mean of its series | signed |
//!
//! Texts are sorted, and so are series, by (service, severity). Each column of numbers stands on its own,
//! because like numbers compress well together.

use super::{Bucket, Cell, Rollup, Series};
use crate::index::bytes::{Decoded, Reader, Refused, ensure, push_signed, push_varint};
use crate::index::text_list::TextList;

impl Rollup {
    pub(in crate::index) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_varint(&mut out, self.width_us.unsigned_abs());
        push_signed(&mut out, self.min_timestamp_us);
        push_signed(&mut out, self.max_timestamp_us);
        for names in [&self.services, &self.severities] {
            push_varint(&mut out, names.len() as u64);
            names.encode(&mut out);
        }
        let means = self.mean_bytes();
        push_varint(&mut out, self.series.len() as u64);
        self.series.iter().for_each(|series| push_varint(&mut out, u64::from(series.service)));
        self.series.iter().for_each(|series| push_varint(&mut out, u64::from(series.severity)));
        means.iter().for_each(|&mean| push_varint(&mut out, mean));
        self.encode_buckets(&mut out);
        for bucket in 0..self.buckets.len() {
            let mut next = 0;
            for cell in self.cells_of(bucket) {
                push_varint(&mut out, u64::from(cell.series - next));
                next = cell.series + 1;
            }
        }
        self.cells.iter().for_each(|cell| push_varint(&mut out, cell.num_rows - 1));
        for cell in &self.cells {
            let expected = cell.num_rows.wrapping_mul(means[cell.series as usize]);
            push_signed(&mut out, cell.bytes_uncompressed.wrapping_sub(expected) as i64);
        }
        out
    }

    fn encode_buckets(&self, out: &mut Vec<u8>) {
        push_varint(out, self.buckets.len() as u64);
        push_signed(out, self.buckets[0].index);
        for pair in self.buckets.windows(2) {
            push_varint(out, pair[1].index.wrapping_sub(pair[0].index) as u64);
        }
        (0..self.buckets.len()).for_each(|bucket| push_varint(out, self.cells_of(bucket).len() as u64 - 1));
    }

    /// What the rows of each series have on average, so that cells differ little from it.
    fn mean_bytes(&self) -> Vec<u64> {
        let mut totals = vec![(0_u64, 0_u64); self.series.len()];
        for cell in &self.cells {
            let (num_rows, bytes) = &mut totals[cell.series as usize];
            *num_rows += cell.num_rows;
            *bytes = bytes.saturating_add(cell.bytes_uncompressed);
        }
        totals.into_iter().map(|(num_rows, bytes)| bytes / num_rows.max(1)).collect()
    }

    /// Reads what [`Self::encode`] wrote of the rows of a file with `num_rows` rows.
    pub(in crate::index) fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        let mut reader = Reader::new(bytes);
        let width_us =
            i64::try_from(reader.varint()?).map_err(|_| Refused::Damaged("a grain is too wide"))?;
        ensure(width_us > 0, "a grain has no width")?;
        let (min_timestamp_us, max_timestamp_us) = (reader.signed()?, reader.signed()?);
        let (services, severities) = (decode_names(&mut reader)?, decode_names(&mut reader)?);
        let (series, means) = decode_series(&mut reader, &services, &severities)?;
        let buckets = decode_buckets(&mut reader)?;
        let first = buckets.first().ok_or(Refused::Damaged("a rollup has no bucket"))?;
        let last = buckets.last().expect("BUG: what has a first has a last");
        let are_within = min_timestamp_us.div_euclid(width_us) == first.index
            && max_timestamp_us.div_euclid(width_us) == last.index
            && min_timestamp_us <= max_timestamp_us;
        ensure(are_within, "the times of a rollup are not those of its buckets")?;
        let cells = decode_cells(&mut reader, &buckets, &means, num_rows)?;
        reader.end()?;
        Ok(Self {
            width_us,
            min_timestamp_us,
            max_timestamp_us,
            services,
            severities,
            series,
            buckets,
            cells,
        })
    }
}

fn decode_names(reader: &mut Reader<'_>) -> Decoded<TextList> {
    let count = reader.count()?;
    let names = TextList::decode(reader, count)?;
    ensure(names.iter().is_sorted_by(|left, right| left < right), "names are not in order")?;
    Ok(names)
}

/// The series, and the mean bytes of their rows.
fn decode_series(
    reader: &mut Reader<'_>,
    services: &TextList,
    severities: &TextList,
) -> Decoded<(Box<[Series]>, Vec<u64>)> {
    let count = reader.count()?;
    let (service_of, severity_of) = (reader.varints_u32(count)?, reader.varints_u32(count)?);
    let series: Box<[Series]> = service_of
        .into_iter()
        .zip(severity_of)
        .map(|(service, severity)| Series { service, severity })
        .collect();
    let is_known = |series: &Series| {
        (series.service as usize) < services.len() && (series.severity as usize) < severities.len()
    };
    ensure(series.iter().all(is_known), "a series has no name")?;
    ensure(series.is_sorted_by(|left, right| left < right), "series are not in order")?;
    Ok((series, reader.varints(count)?))
}

fn decode_buckets(reader: &mut Reader<'_>) -> Decoded<Box<[Bucket]>> {
    let count = reader.count()?;
    let mut index = reader.signed()?;
    let distances = reader.varints(count.saturating_sub(1))?;
    let num_cells = reader.varints_u32(count)?;
    let mut buckets = Vec::with_capacity(count);
    let mut end = 0_u32;
    for (number, num_cells) in num_cells.into_iter().enumerate() {
        if number > 0 {
            let distance = distances[number - 1];
            let next = index.checked_add_unsigned(distance).filter(|_| distance > 0);
            index = next.ok_or(Refused::Damaged("buckets are not in order"))?;
        }
        let next = end.checked_add(num_cells).and_then(|end| end.checked_add(1));
        end = next.ok_or(Refused::Damaged("a rollup has too many cells"))?;
        buckets.push(Bucket { index, end });
    }
    Ok(buckets.into_boxed_slice())
}

fn decode_cells(
    reader: &mut Reader<'_>,
    buckets: &[Bucket],
    means: &[u64],
    num_rows: u64,
) -> Decoded<Box<[Cell]>> {
    let count = buckets.last().map_or(0, |bucket| bucket.end as usize);
    let distances = reader.varints_u32(count)?;
    let rows_of = reader.varints(count)?;
    let mut cells = Vec::with_capacity(count);
    let mut total_rows = 0_u64;
    let mut total_bytes = 0_u64;
    let mut start = 0;
    for bucket in buckets {
        let numbers = start..bucket.end as usize;
        start = numbers.end;
        let mut next = 0_u32;
        for number in numbers {
            let series =
                next.checked_add(distances[number]).filter(|&series| (series as usize) < means.len());
            let series = series.ok_or(Refused::Damaged("a cell is of no series"))?;
            next = series + 1;
            let num_rows = rows_of[number].checked_add(1).ok_or(TOO_MANY_ROWS)?;
            let expected = num_rows.wrapping_mul(means[series as usize]);
            let bytes_uncompressed = expected.wrapping_add(reader.signed()? as u64);
            total_rows = total_rows.checked_add(num_rows).ok_or(TOO_MANY_ROWS)?;
            total_bytes = total_bytes
                .checked_add(bytes_uncompressed)
                .ok_or(Refused::Damaged("a rollup has too many bytes"))?;
            cells.push(Cell { series, num_rows, bytes_uncompressed });
        }
    }
    ensure(total_rows == num_rows, "a rollup has not the rows of its file")?;
    Ok(cells.into_boxed_slice())
}

const TOO_MANY_ROWS: Refused = Refused::Damaged("a rollup has not the rows of its file");
