//! Orders that the rows of a file can have.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::{
    Array, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::Int32Type;
use engine::schema::columns;
use xxhash_rust::xxh3::Xxh3;

/// Rows that one batch of ordered rows holds at most.
pub(crate) const BATCH_ROWS: usize = 8192;
/// How much of a body decides its template.
const TEMPLATE_BYTES: usize = 64;
const HOUR_US: i64 = 3_600_000_000;

/// What rows of one time slice are clustered by, before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClusterBy {
    /// The service's name.
    Service,
    /// The severity's number.
    Severity,
    /// The fingerprint of the resource.
    Resource,
    /// The hash of the body without the words that have digits.
    Template,
}

/// How time is cut before rows are clustered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slices {
    /// Into so many rows each; a slice is a row group.
    OfRows(usize),
    /// Into so many rows each; the second number of rows, a multiple of the first, is a row group.
    InRowGroups(usize, usize),
    /// Into hours; a row group has the given number of rows, whatever hours they are of.
    OfHours(usize),
}

/// One order of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SortOrder {
    /// How time is cut.
    pub(crate) slices: Slices,
    /// What comes before time within a slice.
    pub(crate) cluster_by: &'static [ClusterBy],
}

impl SortOrder {
    /// What reports call it.
    pub(crate) fn name(&self) -> String {
        let keys: Vec<String> =
            self.cluster_by.iter().map(|key| format!("{key:?}").to_ascii_lowercase()).collect();
        let keys = if keys.is_empty() { "time".to_owned() } else { format!("{}, time", keys.join(", ")) };
        match self.slices {
            Slices::OfRows(rows) => format!("slices of {}k rows by {keys}", rows / 1024),
            Slices::InRowGroups(rows, row_group_rows) => {
                let (rows, row_group_rows) = (rows / 1024, row_group_rows / 1024);
                format!("slices of {rows}k rows by {keys}, row groups of {row_group_rows}k")
            }
            Slices::OfHours(rows) => format!("hours by {keys}, row groups of {}k", rows / 1024),
        }
    }

    /// Rows of a row group.
    pub(crate) fn row_group_rows(&self) -> usize {
        match self.slices {
            Slices::OfRows(rows) | Slices::OfHours(rows) | Slices::InRowGroups(_, rows) => rows,
        }
    }
}

/// Rows in a certain order.
#[derive(Clone, Debug)]
pub(crate) struct OrderedRows {
    /// Each row group's rows, in batches.
    pub(crate) row_groups: Vec<Vec<RecordBatch>>,
    /// How long it took to order them.
    pub(crate) elapsed: Duration,
}

impl OrderedRows {
    /// All batches, in order.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.row_groups.iter().flatten()
    }

    /// The number of rows.
    pub(crate) fn num_rows(&self) -> usize {
        self.batches().map(RecordBatch::num_rows).sum()
    }
}

/// Puts rows into an order.
///
/// # Errors
/// When a column is missing or has another type than the engine gives it.
pub(crate) fn order_rows(batches: &[RecordBatch], order: &SortOrder) -> Result<OrderedRows> {
    let started = Instant::now();
    let mut keys = row_keys(batches, order.cluster_by.contains(&ClusterBy::Template))?;
    keys.sort_unstable_by_key(|key| (key.time_us, key.id));
    for slice in slices_mut(&mut keys, order.slices) {
        if !order.cluster_by.is_empty() {
            slice.sort_unstable_by_key(|key| {
                let mut clusters = [0; 4];
                for (place, by) in clusters.iter_mut().zip(order.cluster_by) {
                    *place = key.cluster(*by);
                }
                (clusters, key.time_us, key.id)
            });
        }
    }
    let sources: Vec<&RecordBatch> = batches.iter().collect();
    let mut row_groups = Vec::new();
    for row_group in keys.chunks(order.row_group_rows()) {
        let mut gathered = Vec::new();
        for rows in row_group.chunks(BATCH_ROWS) {
            let places: Vec<_> = rows.iter().map(|key| (key.batch as usize, key.row as usize)).collect();
            gathered.push(interleave_record_batch(&sources, &places)?);
        }
        row_groups.push(gathered);
    }
    Ok(OrderedRows { row_groups, elapsed: started.elapsed() })
}

/// What a row is ordered by, and where it is.
#[derive(Clone, Copy, Debug)]
struct RowKey {
    time_us: i64,
    id: u128,
    service: u64,
    severity: u64,
    resource: u64,
    template: u64,
    batch: u32,
    row: u32,
}

impl RowKey {
    fn cluster(&self, by: ClusterBy) -> u64 {
        match by {
            ClusterBy::Service => self.service,
            ClusterBy::Severity => self.severity,
            ClusterBy::Resource => self.resource,
            ClusterBy::Template => self.template,
        }
    }
}

fn slices_mut(keys: &mut [RowKey], slices: Slices) -> Vec<&mut [RowKey]> {
    match slices {
        Slices::OfRows(rows) | Slices::InRowGroups(rows, _) => keys.chunks_mut(rows).collect(),
        Slices::OfHours(_) => keys
            .chunk_by_mut(|left, right| left.time_us.div_euclid(HOUR_US) == right.time_us.div_euclid(HOUR_US))
            .collect(),
    }
}

fn row_keys(batches: &[RecordBatch], with_template: bool) -> Result<Vec<RowKey>> {
    let mut names = HashMap::new();
    let mut keys = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        let times = column::<TimestampMicrosecondArray>(batch, columns::TIMESTAMP)?;
        let ids = batch.column_by_name(columns::UUID).context("no column uuid")?.as_fixed_size_binary();
        let severities = column::<Int32Array>(batch, columns::SEVERITY_NUMBER)?;
        let resources = column::<UInt64Array>(batch, columns::RESOURCE_FINGERPRINT)?;
        let services = column::<DictionaryArray<Int32Type>>(batch, columns::SERVICE_NAME)?;
        let services = services.downcast_dict::<StringArray>().context("service_name is no text")?;
        let bodies = batch.column_by_name(columns::BODY).context("no column body")?.as_string_view();
        for row in 0..batch.num_rows() {
            let name = services.values().value(services.keys().value(row) as usize);
            let num_names = names.len() as u64;
            let service = match names.get(name) {
                Some(number) => *number,
                None => *names.entry(name.to_owned()).or_insert(num_names),
            };
            keys.push(RowKey {
                time_us: times.value(row),
                id: ids.value(row).try_into().map(u128::from_be_bytes)?,
                service,
                severity: severities.value(row) as u64,
                resource: resources.value(row),
                template: if with_template { template(bodies.value(row)) } else { 0 },
                batch: index as u32,
                row: row as u32,
            });
        }
    }
    Ok(keys)
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A> {
    let column = batch.column_by_name(name).with_context(|| format!("no column {name}"))?;
    column.as_any().downcast_ref().with_context(|| format!("the column {name} has another type"))
}

/// A hash of the beginning of a body without its words that have digits: bodies that one line of code wrote
/// mostly share it.
pub(crate) fn template(body: &str) -> u64 {
    let mut end = body.len().min(TEMPLATE_BYTES);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    let mut hasher = Xxh3::new();
    for word in body[..end].split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        if !word.bytes().any(|byte| byte.is_ascii_digit()) {
            hasher.update(word.as_bytes());
        }
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_digits_are_no_part_of_a_template() {
        let of = |id: &str| template(&format!("payment {id} authorised by acme"));
        assert_eq!(of("1a2b"), of("99"));
        assert_ne!(of("1a2b"), of("ab"));
        assert_eq!(template(&"ä".repeat(60)), template(&"ä".repeat(61)));
    }
}
