//! Groups of rows in memory, for as long as they fit.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryReservation;

use super::groups::ERROR_SEVERITIES;
use super::text_hash::TextHash;
use super::texts::Texts;

/// What a group takes up beside its values, generously.
const GROUP_BYTES: usize = 128;
/// Memory is asked for in pieces of so many bytes, because all questions ask the same pool.
const PIECE_BYTES: usize = 256 << 10;

/// The totals of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupTotals {
    /// Number of rows.
    pub(super) log_count: u64,
    /// How many of them are errors or worse.
    pub(super) error_count: u64,
    /// The latest time, microseconds.
    pub(super) last_seen_us: i64,
}

impl GroupTotals {
    const NONE: Self = Self { log_count: 0, error_count: 0, last_seen_us: i64::MIN };

    fn add(&mut self, other: Self) {
        self.log_count += other.log_count;
        self.error_count += other.error_count;
        self.last_seen_us = self.last_seen_us.max(other.last_seen_us);
    }
}

/// Groups by their values.
#[derive(Debug)]
pub(super) struct GroupTable {
    num_dimensions: usize,
    /// A single value as it is; several one after the other, each behind its length.
    groups: HashMap<Box<[u8]>, GroupTotals, TextHash>,
    num_bytes: usize,
    memory: MemoryReservation,
}

impl GroupTable {
    pub(super) fn new(num_dimensions: usize, memory: MemoryReservation) -> Self {
        Self { num_dimensions, groups: HashMap::default(), num_bytes: 0, memory }
    }

    /// Adds rows: their values, then their times, then their severities.
    ///
    /// # Errors
    /// `ResourcesExhausted` when the groups do not fit.
    pub(super) fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let (values, rest) = columns.split_at(self.num_dimensions);
        let [times, severities] = rest else {
            return Err(internal_datafusion_err!("rows without a time or a severity"));
        };
        let values = values.iter().map(Values::of).collect::<Result<Vec<_>>>()?;
        let rows = Rows::of(times, severities)?;
        match values.as_slice() {
            [Values::Texts(texts)] if texts.has_dictionary() => self.add_by_place(texts, &rows),
            _ => self.add_one_by_one(&values, &rows),
        }
    }

    /// Each text is looked up once.
    fn add_by_place(&mut self, texts: &Texts, rows: &Rows<'_>) -> Result<()> {
        let mut totals = vec![GroupTotals::NONE; texts.num_places()];
        for row in 0..rows.times.len() {
            if let Some(place) = texts.place(row) {
                totals[place].add(rows.totals(row));
            }
        }
        for (place, totals) in totals.into_iter().enumerate().filter(|(_, totals)| totals.log_count > 0) {
            let text = texts.text(place);
            if !text.is_empty() {
                self.add_group(text.as_bytes(), totals)?;
            }
        }
        Ok(())
    }

    fn add_one_by_one(&mut self, values: &[Values], rows: &Rows<'_>) -> Result<()> {
        let mut key = Vec::new();
        'rows: for row in 0..rows.times.len() {
            if let [value] = values {
                if let Some(value) = value.at(row) {
                    self.add_group(value, rows.totals(row))?;
                }
                continue;
            }
            key.clear();
            for value in values {
                let Some(value) = value.at(row) else { continue 'rows };
                key.extend_from_slice(&(value.len() as u64).to_le_bytes());
                key.extend_from_slice(value);
            }
            self.add_group(&key, rows.totals(row))?;
        }
        Ok(())
    }

    fn add_group(&mut self, key: &[u8], totals: GroupTotals) -> Result<()> {
        if let Some(known) = self.groups.get_mut(key) {
            known.add(totals);
            return Ok(());
        }
        self.num_bytes += GROUP_BYTES + key.len();
        if self.num_bytes > self.memory.size() {
            self.memory.try_grow(PIECE_BYTES + self.num_bytes - self.memory.size())?;
        }
        self.groups.insert(key.into(), totals);
        Ok(())
    }

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// All groups, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupKey<'_>, GroupTotals)> {
        let is_single = self.num_dimensions == 1;
        self.groups.iter().map(move |(bytes, totals)| (GroupKey { bytes, is_single }, *totals))
    }
}

/// The values of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupKey<'a> {
    bytes: &'a [u8],
    is_single: bool,
}

impl<'a> GroupKey<'a> {
    /// One for each dimension: the bytes of a text or of an id.
    pub(super) fn values(self) -> Vec<&'a [u8]> {
        if self.is_single {
            return vec![self.bytes];
        }
        let (mut values, mut left) = (Vec::new(), self.bytes);
        while let Some((length, rest)) = left.split_first_chunk() {
            let (value, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
            values.push(value);
            left = rest;
        }
        values
    }
}

/// One value for each row.
enum Values {
    Texts(Texts),
    Ids(FixedSizeBinaryArray),
}

impl Values {
    fn of(column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::FixedSizeBinary(_) => Self::Ids(column.as_fixed_size_binary().clone()),
            _ => Self::Texts(Texts::of(column)?),
        })
    }

    /// None where it is null, empty or unset.
    fn at(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Texts(texts) => {
                texts.place(row).map(|place| texts.text(place).as_bytes()).filter(|text| !text.is_empty())
            }
            Self::Ids(ids) => {
                let id = ids.is_valid(row).then(|| ids.value(row))?;
                id.iter().any(|byte| *byte != 0).then_some(id)
            }
        }
    }
}

/// What is added up of each row.
struct Rows<'a> {
    times: &'a [i64],
    severities: Texts,
    /// By the place of a severity.
    is_error: Vec<bool>,
}

impl<'a> Rows<'a> {
    fn of(times: &'a ArrayRef, severities: &ArrayRef) -> Result<Self> {
        let times = times.as_primitive_opt::<TimestampMicrosecondType>();
        let times = times.ok_or_else(|| internal_datafusion_err!("times of another type"))?.values();
        let severities = Texts::of(severities)?;
        let is_error = (0..severities.num_places())
            .map(|place| ERROR_SEVERITIES.contains(&severities.text(place)))
            .collect();
        Ok(Self { times, severities, is_error })
    }

    fn totals(&self, row: usize) -> GroupTotals {
        let is_error = self.severities.place(row).is_some_and(|place| self.is_error[place]);
        GroupTotals { log_count: 1, error_count: u64::from(is_error), last_seen_us: self.times[row] }
    }
}
