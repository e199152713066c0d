//! What a comparison found, as Markdown and as a plot.

use std::fmt::Write;
use std::time::Duration;

use super::load::{Loaded, Rows};
use super::peer::Facts;
use super::plot::{Bars, plot};
use super::{Comparison, Timed};
use crate::machine::Machine;
use crate::size::FolderSize;

/// Everything that one comparison measured.
#[derive(Debug)]
pub struct SideBySide {
    machine: Machine,
    dataset: String,
    pub(super) num_rows: u64,
    repetitions: usize,
    bodies: (u64, u64),
    loaded: Loaded,
    size: FolderSize,
    peak_memory_bytes: Option<u64>,
    peers: Vec<Facts>,
    pub(super) timed: Vec<Timed>,
}

impl SideBySide {
    #[expect(clippy::too_many_arguments, reason = "each is one part of the report")]
    pub(super) fn new(
        machine: Machine,
        comparison: &Comparison,
        rows: Rows,
        loaded: Loaded,
        size: FolderSize,
        peak_memory_bytes: Option<u64>,
        peers: Vec<Facts>,
        timed: Vec<Timed>,
    ) -> Self {
        Self {
            machine,
            dataset: comparison.dataset.to_string(),
            num_rows: rows.chosen.num_rows,
            repetitions: comparison.repetitions,
            bodies: (rows.num_body_bytes, rows.num_sent_bytes),
            loaded,
            size,
            peak_memory_bytes,
            peers,
            timed,
        }
    }

    /// The questions in which Timberline agreed with every other engine, by name.
    pub fn questions(&self) -> impl Iterator<Item = &str> {
        self.timed.iter().map(|timed| timed.question.name)
    }

    /// The report as Markdown.
    pub fn to_markdown(&self, command: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, command).expect("BUG: writing to a string does not fail");
        text
    }

    /// The times as a plot: SVG.
    pub fn to_svg(&self) -> String {
        let engines: Vec<&str> =
            std::iter::once("Timberline").chain(self.peers.iter().map(|peer| peer.name)).collect();
        let rows: Vec<Bars> = self
            .timed
            .iter()
            .map(|timed| Bars { name: timed.question.name, values: timed.medians() })
            .collect();
        plot(
            &format!("{} rows: milliseconds, median of {}", self.num_rows, self.repetitions),
            &engines,
            &rows,
        )
    }

    fn write(&self, text: &mut String, command: &str) -> std::fmt::Result {
        writeln!(text, "# {} log records side by side\n", self.num_rows)?;
        let machine = &self.machine;
        writeln!(text, "| | |\n|---|---|")?;
        machine.write_rows(text)?;
        writeln!(text, "| rows | {} |", self.dataset)?;
        writeln!(text, "| beside | {} |", self.versions())?;
        writeln!(text, "| command | `{command}` |\n")?;
        self.write_load(text)?;
        self.write_answers(text)
    }

    fn versions(&self) -> String {
        let versions: Vec<&str> = self.peers.iter().map(|peer| peer.version.as_str()).collect();
        if versions.is_empty() { "no other engine was installed".to_owned() } else { versions.join(", ") }
    }

    fn write_load(&self, text: &mut String) -> std::fmt::Result {
        let sent = self.loaded.sent;
        let (plain, compressed) = self.bodies;
        writeln!(text, "## Loading\n")?;
        writeln!(
            text,
            "Timberline: gzipped OTLP over HTTP from bodies made before, 8 at a time, by a sender on the same machine. \
             The others: from a Parquet file of the same rows, until their files were as they stay.\n"
        )?;
        if self.has_victorialogs() {
            writeln!(
                text,
                "VictoriaLogs in place of that: gzipped JSON lines over HTTP from bodies made before, 8 at a time, until \
                 they could be asked for; its bytes are those that `/metrics` tells then, less those of before.\n"
            )?;
        }
        writeln!(text, "| | |\n|---|---|")?;
        writeln!(text, "| Timberline, to the acknowledgement with fsync | {} |", self.rate(sent.elapsed))?;
        writeln!(
            text,
            "| Timberline, until everything is in data files and merged | {} |",
            self.rate(sent.elapsed + self.loaded.settled)
        )?;
        let per_second = plain as f64 / 1e6 / sent.elapsed.as_secs_f64();
        writeln!(
            text,
            "| bodies | {:.0} bytes/row, {:.0} compressed; {per_second:.0} MB/s |",
            self.per_row(plain),
            self.per_row(compressed)
        )?;
        writeln!(text, "| requests told to come again | {} |", sent.num_retries)?;
        writeln!(text, "| Timberline, bytes/row all in | {:.2} |", self.per_row(self.size.num_bytes()))?;
        writeln!(text, "| of it sidecars | {:.2} |", self.per_row(self.size.sidecars.num_bytes))?;
        writeln!(text, "| Timberline, peak memory | {} |", mebibytes(self.peak_memory_bytes))?;
        for peer in &self.peers {
            let name = peer.name;
            writeln!(text, "| {name}, load | {} |", self.rate(peer.load))?;
            let per_row = peer.num_bytes.map(|num_bytes| format!("{:.2}", self.per_row(num_bytes)));
            writeln!(text, "| {name}, bytes/row | {} |", or_dash(per_row))?;
            writeln!(text, "| {name}, peak memory | {} |", mebibytes(peer.peak_memory_bytes))?;
        }
        writeln!(text)
    }

    fn write_answers(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## Questions\n")?;
        writeln!(
            text,
            "Medians of {} runs after one to warm up, milliseconds; engines in turn, a window that moves each time. \
             Timberline over HTTP until the last byte, the others in process until their rows are fetched. All gave the same answers.\n",
            self.repetitions
        )?;
        if self.has_victorialogs() {
            writeln!(
                text,
                "VictoriaLogs over HTTP too. A dash is where it was not asked, since LogsQL has no exact answer.\n"
            )?;
        }
        let names: String = self.peers.iter().map(|peer| format!(" {} |", peer.name)).collect();
        let has_ratio = !self.peers.is_empty();
        let more = if has_ratio { " ratio | at most |" } else { "" };
        writeln!(text, "| question | answer | Timberline |{names}{more}")?;
        let columns = 3 + self.peers.len() + if has_ratio { 2 } else { 0 };
        writeln!(text, "|{}", "---|".repeat(columns))?;
        for timed in &self.timed {
            let medians = timed.medians();
            let cell = |median: &Option<f64>| or_dash(median.map(|median| format!("{median:.2}")));
            let cells: String = medians.iter().map(|median| format!(" {} |", cell(median))).collect();
            write!(text, "| {} | {} |{cells}", timed.question.name, timed.answer.summary())?;
            match medians.as_slice() {
                [Some(ours), Some(theirs), ..] => {
                    let (ratio, target) = (ours / theirs, timed.question.target);
                    let mark = if ratio <= target { "" } else { " **missed**" };
                    write!(text, " {ratio:.3} | {target}{mark} |")?;
                }
                [_, None, ..] => write!(text, " - | {} |", timed.question.target)?,
                _ => {}
            }
            writeln!(text)?;
        }
        if has_ratio {
            writeln!(text, "\nThe ratio is to the first engine beside Timberline.")?;
        }
        Ok(())
    }

    fn has_victorialogs(&self) -> bool {
        self.peers.iter().any(|peer| peer.name == "victorialogs")
    }

    fn rate(&self, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64();
        format!("{:.0} rows/s ({seconds:.2} s)", self.num_rows as f64 / seconds.max(f64::MIN_POSITIVE))
    }

    fn per_row(&self, num_bytes: u64) -> f64 {
        num_bytes as f64 / self.num_rows.max(1) as f64
    }
}

impl Timed {
    /// Milliseconds of each engine that was asked.
    fn medians(&self) -> Vec<Option<f64>> {
        self.times.iter().map(|times| median(times).map(millis)).collect()
    }
}

fn mebibytes(num_bytes: Option<u64>) -> String {
    or_dash(num_bytes.map(|num_bytes| format!("{:.0} MiB", num_bytes as f64 / 1_048_576.0)))
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The one in the middle; of an even number the later of two, of none none.
pub(super) fn median(times: &[Duration]) -> Option<Duration> {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied()
}
