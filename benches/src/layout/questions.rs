//! What is asked of every layout, and how each way to store attributes answers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::kernels::comparison::contains;
use engine::schema::columns;

use super::form::AttributeForm;
use super::promotion::{KeyFacts, MapColumn, entries, map_column};
use super::read::{OpenFile, Touched, tally};
use super::variant;

/// The attribute of the count, its value, and the attribute of the groups.
const FILTER: (&str, &str) = ("http.request.method", "POST");
const GROUP_BY: &str = "error.type";
/// Stands in few bodies.
const NEEDLE: &str = "circuit breaker opened";
const NEWEST: usize = 100;
const REPETITIONS: usize = 5;

/// An answer and what it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// The count, or the number of groups or rows.
    pub(crate) size: u64,
    /// The median of all repetitions.
    pub(crate) elapsed: Duration,
    /// What was read.
    pub(crate) touched: Touched,
}

/// A file, and how attributes are stored in it.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    /// The file.
    pub(crate) open: OpenFile,
    /// How attributes are stored; differs from file to file, since each promotes its own keys.
    pub(crate) attributes: AttributeForm,
}

/// What is asked.
pub(crate) fn names(rare: &str) -> [String; 5] {
    [
        format!("count where {} = {}", FILTER.0, FILTER.1),
        format!("groups of {GROUP_BY}"),
        format!("groups of the rare {rare}"),
        format!("newest {NEWEST} whole rows"),
        format!("count of bodies with {NEEDLE:?}"),
    ]
}

/// What is asked of one layout: its files.
pub(crate) type Layout<'a> = &'a [StoredFile];

/// Answers with a size and what was read for it.
type Question<'a> = dyn Fn(Layout<'_>) -> Result<(u64, Touched)> + 'a;

/// Asks every layout all questions, in rounds, so that whatever else the machine does falls on all alike.
/// Returns each layout's answers, in the order of [`names`].
///
/// # Errors
/// When a file cannot be read or does not hold what it should.
pub(crate) fn ask_all(layouts: &[Layout<'_>], rare: &str) -> Result<Vec<Vec<Answer>>> {
    let questions: [&Question<'_>; 5] =
        [&count, &|files| groups(files, GROUP_BY), &|files| groups(files, rare), &newest, &search];
    let mut answers = vec![Vec::new(); layouts.len()];
    for question in questions {
        let mut times = vec![Vec::new(); layouts.len()];
        let mut last = vec![(0, Touched::default()); layouts.len()];
        for _ in 0..REPETITIONS {
            for ((files, times), last) in layouts.iter().zip(&mut times).zip(&mut last) {
                let started = Instant::now();
                *last = question(files)?;
                times.push(started.elapsed());
            }
        }
        for ((mut times, (size, touched)), answers) in times.into_iter().zip(last).zip(&mut answers) {
            times.sort_unstable();
            answers.push(Answer { size, elapsed: times[REPETITIONS / 2], touched });
        }
    }
    Ok(answers)
}

fn count(files: &[StoredFile]) -> Result<(u64, Touched)> {
    let (key, wanted) = FILTER;
    let mut total = 0;
    let touched = each_value(files, key, |value, count| {
        if value == wanted {
            total += count;
        }
    })?;
    Ok((total, touched))
}

fn groups(files: &[StoredFile], key: &str) -> Result<(u64, Touched)> {
    let mut groups: HashMap<String, u64> = HashMap::new();
    let touched = each_value(files, key, |value, count| match groups.get_mut(value) {
        Some(group) => *group += count,
        None => _ = groups.insert(value.to_owned(), count),
    })?;
    Ok((groups.len() as u64, touched))
}

/// Calls back with all values of one of the record's own attributes.
fn each_value(files: &[StoredFile], key: &str, mut see: impl FnMut(&str, u64)) -> Result<Touched> {
    let map = MapColumn::Own;
    let is_own = |keys: &[KeyFacts]| keys.iter().any(|facts| facts.map == map && facts.key == key);
    let promoted = format!("{}/{key}", map.name());
    let mut touched = Touched::default();
    for StoredFile { open: file, attributes: form } in files {
        let path = match form {
            AttributeForm::Promoted(keys) if is_own(keys) => vec![promoted.as_str()],
            AttributeForm::Variant(keys) if is_own(keys) => {
                vec![map.name(), "typed_value", key, "typed_value"]
            }
            _ => vec![map.name()],
        };
        for row_group in 0..file.num_row_groups() {
            touched += file.touched(&path, row_group, None);
        }
        for batch in file.read(&path, None)? {
            let batch = batch?;
            match (form, path.len()) {
                (AttributeForm::Variant(_), 4) => tally(&innermost(&batch, &path)?, &mut see)?,
                (AttributeForm::Variant(_), _) => tally(&variant::texts(batch.column(0), key)?, &mut see)?,
                (AttributeForm::Promoted(_), _) if path[0] == promoted => tally(batch.column(0), &mut see)?,
                _ => each_map_value(&batch, map, key, &mut see)?,
            }
        }
    }
    Ok(touched)
}

/// The array at the end of a path through structs.
fn innermost(batch: &RecordBatch, path: &[&str]) -> Result<ArrayRef> {
    let (first, rest) = path.split_first().context("an empty path")?;
    let mut array = batch.column_by_name(first).cloned().with_context(|| format!("no column {first}"))?;
    for name in rest {
        let part = array.as_struct_opt().and_then(|part| part.column_by_name(name)).cloned();
        array = part.with_context(|| format!("no field {name}"))?;
    }
    Ok(array)
}

fn each_map_value(
    batch: &RecordBatch,
    map: MapColumn,
    key: &str,
    see: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let (keys, values): (&StringArray, &StringArray) = entries(map_column(batch, map)?)?;
    for entry in 0..keys.len() {
        if keys.value(entry) == key {
            see(values.value(entry), 1);
        }
    }
    Ok(())
}

fn search(files: &[StoredFile]) -> Result<(u64, Touched)> {
    let needle = StringViewArray::new_scalar(NEEDLE);
    let (mut total, mut touched) = (0, Touched::default());
    for StoredFile { open: file, .. } in files {
        for row_group in 0..file.num_row_groups() {
            touched += file.touched(&[columns::BODY], row_group, None);
        }
        for batch in file.read(&[columns::BODY], None)? {
            total += contains(batch?.column(0), &needle)?.true_count() as u64;
        }
    }
    Ok((total, touched))
}

/// The place of a row: file, row group, row.
type Place = (usize, usize, usize);

/// Reads row groups newest first, and stops when no further one can hold one of the newest rows.
fn newest(files: &[StoredFile]) -> Result<(u64, Touched)> {
    let mut row_groups = Vec::new();
    for (index, StoredFile { open: file, .. }) in files.iter().enumerate() {
        for row_group in 0..file.num_row_groups() {
            let latest = file.latest(columns::TIMESTAMP, row_group).context("no statistics of times")?;
            row_groups.push((Reverse(latest), index, row_group));
        }
    }
    row_groups.sort_unstable();
    let mut best: Vec<(Reverse<i64>, Place)> = Vec::new();
    let mut touched = Touched::default();
    for (Reverse(latest), file, row_group) in row_groups {
        if best.len() == NEWEST && best[NEWEST - 1].0.0 > latest {
            break;
        }
        touched += files[file].open.touched(&[columns::TIMESTAMP], row_group, None);
        let mut row = 0;
        for batch in files[file].open.read(&[columns::TIMESTAMP], Some(vec![row_group]))? {
            let batch = batch?;
            let times = batch.column(0).as_any().downcast_ref::<TimestampMicrosecondArray>();
            for time in times.context("timestamp is no time")?.values() {
                best.push((Reverse(*time), (file, row_group, row)));
                row += 1;
            }
        }
        best.sort_unstable();
        best.truncate(NEWEST);
    }
    let num_rows = fetch(files, best.into_iter().map(|(_, place)| place).collect(), &mut touched)?;
    ensure!(num_rows == NEWEST, "{num_rows} rows were read instead of {NEWEST}");
    Ok((num_rows as u64, touched))
}

fn fetch(files: &[StoredFile], mut places: Vec<Place>, touched: &mut Touched) -> Result<usize> {
    places.sort_unstable();
    let mut num_rows = 0;
    for in_file in places.chunk_by(|left, right| left.0 == right.0) {
        let file = &files[in_file[0].0].open;
        let by_row_group = in_file.chunk_by(|left, right| left.1 == right.1);
        let rows: Vec<(usize, Vec<usize>)> = by_row_group
            .map(|places| (places[0].1, places.iter().map(|(_, _, row)| *row).collect()))
            .collect();
        for (row_group, rows) in &rows {
            let mut pages = file.touched(&[], *row_group, Some(rows));
            pages.num_row_groups = 0;
            *touched += pages;
        }
        for batch in black_box(file.read_rows(&rows)?) {
            num_rows += batch.num_rows();
        }
    }
    Ok(num_rows)
}
