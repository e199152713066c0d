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

    /// Adds the groups of another table over the same dimensions.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn merge(&mut self, other: Self) -> Result<()> {
        other.groups.iter().try_for_each(|(key, totals)| self.add_group(key, *totals))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::Int32Type;
    use datafusion::error::DataFusionError;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    const NAMES: [Option<&str>; 6] = [Some("a"), None, Some(""), Some("b"), Some("a"), Some("ab")];
    const IDS: [u8; 6] = [1, 1, 1, 0, 2, 1];

    fn memory(max_bytes: usize) -> MemoryReservation {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(max_bytes));
        MemoryConsumer::new("groups").register(&pool)
    }

    fn rows(values: Vec<ArrayRef>) -> Vec<ArrayRef> {
        let times = TimestampMicrosecondArray::from_iter_values([10, 20, 30, 40, 5, 60]);
        let severities: DictionaryArray<Int32Type> =
            ["error", "info", "info", "fatal", "info", "warn"].into_iter().collect();
        values.into_iter().chain([Arc::new(times) as ArrayRef, Arc::new(severities)]).collect()
    }

    fn groups(table: &GroupTable) -> BTreeMap<Vec<Vec<u8>>, (u64, u64, i64)> {
        let totals = |totals: GroupTotals| (totals.log_count, totals.error_count, totals.last_seen_us);
        let values = |key: GroupKey<'_>| key.values().into_iter().map(<[u8]>::to_vec).collect();
        table.iter().map(|(key, of)| (values(key), totals(of))).collect()
    }

    #[test]
    fn texts_of_every_form_have_the_same_groups_also_of_two_tables() {
        let plain: StringArray = NAMES.into_iter().collect();
        let dictionary: DictionaryArray<Int32Type> = NAMES.into_iter().collect();
        let group = |name: &str| vec![name.as_bytes().to_vec()];
        let expected =
            BTreeMap::from([(group("a"), (2, 1, 10)), (group("b"), (1, 1, 40)), (group("ab"), (1, 0, 60))]);
        for column in [Arc::new(plain) as ArrayRef, Arc::new(dictionary)] {
            let mut table = GroupTable::new(1, memory(1 << 20));
            table.add(&rows(vec![Arc::clone(&column)])).unwrap();
            assert_eq!(groups(&table), expected);
            let mut first = GroupTable::new(1, memory(1 << 20));
            let slices =
                |start| rows(vec![Arc::clone(&column)]).iter().map(|part| part.slice(start, 3)).collect();
            let halves: [Vec<ArrayRef>; 2] = [slices(0), slices(3)];
            first.add(&halves[0]).unwrap();
            let mut second = GroupTable::new(1, memory(1 << 20));
            second.add(&halves[1]).unwrap();
            first.merge(second).unwrap();
            assert_eq!(groups(&first), expected);
        }
    }

    #[test]
    fn several_values_make_a_group_only_together() {
        let names: StringArray = NAMES.into_iter().collect();
        let ids = FixedSizeBinaryArray::try_from_iter(IDS.iter().map(|byte| [*byte; 8])).unwrap();
        let mut table = GroupTable::new(2, memory(1 << 20));
        table.add(&rows(vec![Arc::new(names), Arc::new(ids)])).unwrap();
        let group = |name: &str, id: u8| vec![name.as_bytes().to_vec(), vec![id; 8]];
        let expected = BTreeMap::from([
            (group("a", 1), (1, 1, 10)),
            (group("a", 2), (1, 0, 5)),
            (group("ab", 1), (1, 0, 60)),
        ]);
        assert_eq!(groups(&table), expected);
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn groups_that_do_not_fit_are_an_error() {
        let names: StringArray = NAMES.into_iter().collect();
        let error = GroupTable::new(1, memory(100)).add(&rows(vec![Arc::new(names)])).unwrap_err();
        assert!(matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)));
    }
}
