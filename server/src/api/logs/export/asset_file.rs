//! The file of an export that is made in the background: CSV for people, with a column for each attribute.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::query::LogRow;

use super::columns::{ExportColumns, cell};
use super::csv::{Formulas, write_record};

/// Most columns that attributes may make.
const MAX_FLATTENED: usize = 10_000;
/// Most bytes of their names together.
const MAX_FLATTENED_BYTES: usize = 4 << 20;
/// What the file says when there are no rows.
const NO_ROWS: [&str; 2] = ["error", "No logs match the query."];

/// The keys of each column that is a map, in order; none for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flattened(Vec<Option<BTreeSet<String>>>);

/// There are more attributes than a file may have columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooManyColumns;

impl Flattened {
    pub(super) fn of(columns: &ExportColumns) -> Self {
        Self(columns.0.iter().map(|column| column.is_map().then(BTreeSet::new)).collect())
    }

    pub(super) fn has_maps(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// Notes the keys of rows.
    pub(super) fn note(&mut self, columns: &ExportColumns, rows: &[LogRow]) -> Result<(), TooManyColumns> {
        for row in rows {
            for (column, keys) in columns.0.iter().zip(&mut self.0) {
                let (Some(keys), Some(map)) = (keys, column.map(row)) else { continue };
                for (key, _) in map {
                    if !keys.contains(key) {
                        keys.insert(key.clone());
                    }
                }
            }
        }
        let keys = || self.0.iter().flatten().flatten();
        if keys().count() > MAX_FLATTENED || keys().map(String::len).sum::<usize>() > MAX_FLATTENED_BYTES {
            return Err(TooManyColumns);
        }
        Ok(())
    }
}

/// A file while it is written: beside its place until it is whole.
#[derive(Debug)]
pub(super) struct AssetFile {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    num_rows: u64,
    /// Bytes so far.
    pub(super) num_bytes: u64,
}

impl AssetFile {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let part = path.with_extension("part");
        let file = BufWriter::new(File::create(&part)?);
        Ok(Self { path, part, file, num_rows: 0, num_bytes: 0 })
    }

    /// Adds rows, with the header before the first.
    pub(super) fn write(
        &mut self,
        columns: &ExportColumns,
        flattened: &Flattened,
        rows: &[LogRow],
        checkpoint: Option<&str>,
    ) -> io::Result<()> {
        let mut out = Vec::new();
        if self.num_rows == 0 && !rows.is_empty() {
            write_record(&mut out, header(columns, flattened).iter(), Formulas::Escaped);
        }
        for row in rows {
            write_record(&mut out, cells(columns, flattened, row, checkpoint).iter(), Formulas::Escaped);
        }
        self.num_rows += rows.len() as u64;
        self.append(&out)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.num_bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Puts the file in its place, durably; its size.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        if self.num_rows == 0 {
            let mut out = Vec::new();
            NO_ROWS.iter().for_each(|line| write_record(&mut out, std::iter::once(line), Formulas::Verbatim));
            self.append(&out)?;
        }
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        std::fs::rename(&self.part, &self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(self.num_bytes)
    }
}

fn header(columns: &ExportColumns, flattened: &Flattened) -> Vec<String> {
    let names = columns.0.iter().zip(&flattened.0).flat_map(|(column, keys)| match keys {
        Some(keys) => keys.iter().map(|key| format!("{}.{key}", column.name)).collect(),
        None => vec![column.name.clone()],
    });
    names.collect()
}

fn cells(
    columns: &ExportColumns,
    flattened: &Flattened,
    row: &LogRow,
    checkpoint: Option<&str>,
) -> Vec<String> {
    let cells = columns.0.iter().zip(&flattened.0).flat_map(|(column, keys)| match (keys, column.map(row)) {
        (Some(keys), Some(map)) => keys.iter().map(|key| value_of(map, key)).collect(),
        _ => vec![cell(&column.value(row, checkpoint)).into_owned()],
    });
    cells.collect()
}

/// Attributes are sorted by key.
fn value_of(map: &[(String, String)], key: &str) -> String {
    let found = map.binary_search_by(|(name, _)| name.as_str().cmp(key));
    found.map_or_else(|_| String::new(), |index| map[index].1.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::row::tests::sample_row;
    use super::*;

    fn written(columns: &ExportColumns, rows: &[LogRow]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.csv");
        let mut file = AssetFile::create(path.clone()).unwrap();
        let mut flattened = Flattened::of(columns);
        flattened.note(columns, rows).unwrap();
        file.write(columns, &flattened, rows, None).unwrap();
        let num_bytes = file.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.len() as u64, num_bytes);
        assert!(!path.with_extension("part").exists());
        text
    }

    #[test]
    fn attributes_become_columns() {
        let columns = ExportColumns::parse(Some(&json!(["level", "attributes", "span_id"])), &[]).unwrap();
        let mut other = sample_row();
        other.attributes = vec![("=cmd".to_owned(), "=1".to_owned()), ("z".to_owned(), "-7".to_owned())];
        assert_eq!(
            written(&columns, &[sample_row(), other]),
            "level,attributes.=cmd,attributes.http.status,attributes.z,span_id\r\n\
             error,,500,,0000000000000000\r\nerror,'=1,,-7,0000000000000000\r\n"
        );
    }

    #[test]
    fn no_rows_are_said_in_words() {
        let columns = ExportColumns::parse(None, &[]).unwrap();
        assert_eq!(written(&columns, &[]), "error\r\nNo logs match the query.\r\n");
    }

    #[test]
    fn the_number_of_columns_is_bounded() {
        let columns = ExportColumns::parse(Some(&json!(["attributes"])), &[]).unwrap();
        let mut row = sample_row();
        row.attributes = (0..10_001).map(|key| (key.to_string(), String::new())).collect();
        assert_eq!(Flattened::of(&columns).note(&columns, &[row]), Err(TooManyColumns));
    }
}
