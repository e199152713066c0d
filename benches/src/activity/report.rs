//! The report as Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::{Asked, TrailReport};
use crate::machine::Machine;
use crate::report::median;

impl TrailReport {
    /// The report as Markdown, with the command that makes it again.
    ///
    /// # Errors
    /// None: writing to a string does not fail.
    pub fn to_markdown(&self, command: &str) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let entries = self.loaded.num_entries;
        writeln!(text, "# {entries} entries of an audit trail\n\n| | |\n|---|---|")?;
        Machine::look().write_rows(&mut text)?;
        writeln!(text, "| data | generator seed {}, one year, one organization |", self.trail.seed)?;
        writeln!(text, "| command | `{command}` |\n\n## Loading\n\n| | |\n|---|---|")?;
        let per_second = |elapsed: Duration| entries as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        writeln!(text, "| until durable, in the chain | {:.0} entries/s |", per_second(self.loaded.append))?;
        let merged = self.loaded.append + self.loaded.merge;
        writeln!(text, "| until merged | {:.0} entries/s |", per_second(merged))?;
        let per_entry = |bytes: u64| bytes as f64 / entries.max(1) as f64;
        writeln!(text, "| data files | {} |", self.size.data_files.num_files)?;
        writeln!(text, "| on the disk | {:.1} bytes/entry |", per_entry(self.size.num_bytes()))?;
        if let Some(num_bytes) = self.peak_memory_bytes {
            writeln!(text, "| peak memory of the process | {:.0} MiB |", num_bytes as f64 / 1_048_576.0)?;
        }
        writeln!(
            text,
            "\n## Questions\n\nIn process, each question {} times in a row; a page is its first 100 entries, newest first.\n",
            self.trail.repetitions
        )?;
        writeln!(text, "| question | first ms | median ms | slowest after the first | goal | met | size |")?;
        writeln!(text, "|---|---:|---:|---:|---:|---|---:|")?;
        self.asked.iter().try_for_each(|asked| asked.write(&mut text))?;
        Ok(text)
    }
}

impl Asked {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let millis: Vec<f64> = self.elapsed.iter().map(|elapsed| elapsed.as_secs_f64() * 1e3).collect();
        let first = millis.first().copied().unwrap_or_default();
        // The first time fills caches.
        let mut later = if millis.len() > 1 { millis[1..].to_vec() } else { millis };
        later.sort_by(f64::total_cmp);
        let (middle, slowest) = (median(&later), later.last().copied().unwrap_or_default());
        let goal = self.goal.map(|goal| goal.as_secs_f64() * 1e3);
        let (goal, met) = match goal {
            Some(goal) => (format!("{goal:.0}"), if middle < goal { "yes" } else { "**no**" }),
            None => (String::new(), ""),
        };
        writeln!(
            text,
            "| {} | {first:.2} | {middle:.2} | {slowest:.2} | {goal} | {met} | {} |",
            self.name, self.size
        )
    }
}
