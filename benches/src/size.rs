//! What rows cost on the disk, all in: loaded through the engine, merged as compaction does, then counted file by file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use data::LogSpec;
use engine::clock::SystemClock;
use engine::config::EngineConfig;
use engine::{Engine, operations};
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::load::load;
use crate::machine::Machine;

/// Bytes of all files of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// How many files.
    pub num_files: u64,
    /// Their bytes.
    pub num_bytes: u64,
}

/// What is in a data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderSize {
    /// Data files, footers included.
    pub data_files: Kind,
    /// Sidecars.
    pub sidecars: Kind,
    /// Manifests.
    pub manifests: Kind,
    /// Bytes in data files of each column's pages, by the name of the column at the top.
    pub columns: BTreeMap<String, u64>,
}

impl FolderSize {
    /// Counts the files below a folder.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut size = Self::default();
        size.add(folder)?;
        Ok(size)
    }

    /// Bytes of all that grows with the rows.
    pub fn num_bytes(&self) -> u64 {
        self.data_files.num_bytes + self.sidecars.num_bytes + self.manifests.num_bytes
    }

    /// Bytes of data files that are in no page: footers, indexes, checksums.
    pub fn footer_bytes(&self) -> u64 {
        self.data_files.num_bytes.saturating_sub(self.columns.values().sum())
    }

    fn add(&mut self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if path.is_dir() {
                self.add(&path)?;
                continue;
            }
            let kind = match path.extension().and_then(|ending| ending.to_str()) {
                Some("parquet") => {
                    self.add_columns(&path)?;
                    &mut self.data_files
                }
                Some("sidecar") => &mut self.sidecars,
                Some("json") => &mut self.manifests,
                _ => continue,
            };
            kind.num_files += 1;
            kind.num_bytes += entry.metadata()?.len();
        }
        Ok(())
    }

    fn add_columns(&mut self, path: &Path) -> Result<()> {
        let reader = SerializedFileReader::new(File::open(path)?)?;
        for row_group in reader.metadata().row_groups() {
            for column in row_group.columns() {
                let name = column.column_path().parts()[0].clone();
                *self.columns.entry(name).or_default() += column.byte_range().1;
            }
        }
        Ok(())
    }
}

/// Sizes of the same rows, as they were flushed and as they stay.
#[derive(Debug)]
pub struct SizeReport {
    spec: LogSpec,
    flushed: FolderSize,
    merged: FolderSize,
}

/// Loads the logs of a spec into a folder of its own, merges everything and looks at the sizes.
///
/// # Errors
/// What the engine answers, or a file that cannot be read.
pub async fn measure(spec: LogSpec) -> Result<SizeReport> {
    let folder = tempfile::tempdir()?;
    let config = EngineConfig { compaction: false, ..EngineConfig::new(folder.path()) };
    let engine = Engine::open(config.clone(), Arc::new(SystemClock)).await?;
    load(&engine, spec.clone()).await?;
    let flushed = FolderSize::of(folder.path())?;
    engine.compact(true).await?;
    engine.shutdown().await?;
    drop(engine);
    let merged = FolderSize::of(folder.path())?;
    // Sizes of files that nobody could read would mean nothing.
    let options = operations::DoctorOptions { deep: true, ..operations::DoctorOptions::default() };
    let checked = operations::doctor(&config, &SystemClock, &options).await?;
    anyhow::ensure!(
        checked.is_clean() && checked.num_rows == spec.rows,
        "the files are not whole: {checked:?}"
    );
    Ok(SizeReport { spec, flushed, merged })
}

impl SizeReport {
    /// The report as Markdown.
    ///
    /// # Errors
    /// None: writing to a string does not fail.
    pub fn to_markdown(&self, command: &str) -> Result<String> {
        let (mut text, machine) = (String::new(), Machine::look());
        let (rows, keys) = (self.spec.rows, self.spec.num_attribute_keys.num_keys());
        writeln!(text, "# Bytes of {rows} log records, {keys} attribute keys\n")?;
        writeln!(text, "| | |\n|---|---|\n| command | `{command}` |")?;
        writeln!(text, "| source | {} |\n", machine.commit)?;
        writeln!(
            text,
            "Loaded through the engine, then merged until nothing is worth merging; every page was read back.\n"
        )?;
        writeln!(
            text,
            "| | flushed: files | bytes/row | merged: files | bytes/row |\n|---|---:|---:|---:|---:|"
        )?;
        let (flushed, merged) = (&self.flushed, &self.merged);
        let kinds = [
            ("data files", flushed.data_files, merged.data_files),
            ("sidecars", flushed.sidecars, merged.sidecars),
            ("manifests", flushed.manifests, merged.manifests),
        ];
        for (name, flushed, merged) in kinds {
            writeln!(
                text,
                "| {name} | {} | {} | {} | {} |",
                flushed.num_files,
                self.per_row(flushed.num_bytes),
                merged.num_files,
                self.per_row(merged.num_bytes)
            )?;
        }
        let (flushed, merged) = (flushed.num_bytes(), merged.num_bytes());
        writeln!(text, "| **all** | | {} | | **{}** |", self.per_row(flushed), self.per_row(merged))?;
        self.write_columns(&mut text)?;
        Ok(text)
    }

    fn write_columns(&self, text: &mut String) -> Result<()> {
        let mut columns: Vec<(&String, &u64)> = self.merged.columns.iter().collect();
        columns.sort_by_key(|(_, num_bytes)| std::cmp::Reverse(**num_bytes));
        writeln!(text, "\n| column, merged | bytes/row |\n|---|---:|")?;
        for (name, num_bytes) in columns.iter().take(NUM_COLUMNS) {
            writeln!(text, "| `{name}` | {} |", self.per_row(**num_bytes))?;
        }
        let others = columns.iter().skip(NUM_COLUMNS);
        let num_bytes: u64 = others.clone().map(|(_, num_bytes)| **num_bytes).sum();
        writeln!(text, "| {} others | {} |", others.len(), self.per_row(num_bytes))?;
        writeln!(text, "| footers, indexes, checksums | {} |", self.per_row(self.merged.footer_bytes()))?;
        Ok(())
    }

    fn per_row(&self, num_bytes: u64) -> String {
        format!("{:.3}", num_bytes as f64 / self.spec.rows as f64)
    }
}

/// Columns that are told apart in a report.
const NUM_COLUMNS: usize = 24;

/// Measures and reports; see [`measure`].
///
/// # Errors
/// As [`measure`].
pub async fn report(spec: LogSpec, output: Option<PathBuf>) -> Result<(PathBuf, String)> {
    let (rows, keys) = (spec.rows, spec.num_attribute_keys.num_keys());
    let (seed, shape) = (spec.seed, spec.shape.as_str());
    let command = format!(
        "cargo run --release -p benches -- size --rows {rows} --attribute-keys {keys} --seed {seed} --shape {shape}"
    );
    let text = measure(spec).await.context("cannot measure sizes")?.to_markdown(&command)?;
    let results = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    Ok((output.unwrap_or_else(|| results.join(format!("size-{rows}-rows-{keys}-keys.md"))), text))
}
