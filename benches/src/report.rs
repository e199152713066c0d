//! What was measured, as Markdown.

use std::fmt::Write;
use std::time::Duration;

use data::LogSpec;

use crate::load::LoadReport;
use crate::machine::Machine;
use crate::questions::Answer;

/// Everything that one run measured.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Where it ran.
    pub machine: Machine,
    /// What was generated.
    pub spec: LogSpec,
    /// What loading took.
    pub load: LoadReport,
    /// Bytes of all data files after the load.
    pub num_data_bytes: u64,
    /// Most resident memory at the end of the run; `None` where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Every question with its answers, one per repetition.
    pub answers: Vec<(String, Vec<Answer>)>,
}

impl RunReport {
    /// The report as Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("BUG: writing to a string does not fail");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "# {} log records, {} attribute keys\n",
            self.spec.rows,
            self.spec.num_attribute_keys.num_keys()
        )?;
        self.write_facts(text)?;
        self.write_load(text)?;
        self.write_answers(text)
    }

    fn write_facts(&self, text: &mut String) -> std::fmt::Result {
        let machine = &self.machine;
        writeln!(text, "| | |\n|---|---|")?;
        machine.write_rows(text)?;
        writeln!(
            text,
            "| data | generator seed {}, {} to {} us |",
            self.spec.seed, self.spec.start_us, self.spec.end_us
        )?;
        writeln!(text, "| command | `{}` |\n", self.command())
    }

    /// The command that makes this report again.
    fn command(&self) -> String {
        format!(
            "cargo run --release -p benches -- sets --rows {} --attribute-keys {} --seed {} --repetitions {}",
            self.spec.rows,
            self.spec.num_attribute_keys.num_keys(),
            self.spec.seed,
            self.answers.first().map_or(0, |(_, answers)| answers.len())
        )
    }

    fn write_load(&self, text: &mut String) -> std::fmt::Result {
        let load = &self.load;
        let with_flush = load.ingest + load.flush;
        writeln!(
            text,
            "## Loading\n\nIn process, from OTLP protobuf bodies to the acknowledgement with fsync; making the bodies is not counted.\n"
        )?;
        writeln!(text, "| | |\n|---|---|")?;
        writeln!(text, "| to the acknowledgement | {} |", rate(load.num_records, load.ingest))?;
        writeln!(text, "| until all rows are in data files | {} |", rate(load.num_records, with_flush))?;
        writeln!(text, "| bodies | {:.1} bytes/row |", per_row(load.num_body_bytes, load.num_records))?;
        writeln!(text, "| data files | {:.1} bytes/row |", per_row(self.num_data_bytes, load.num_records))?;
        writeln!(text, "| requests told to come again | {} |", load.num_retries)?;
        if let Some(num_bytes) = self.peak_memory_bytes {
            writeln!(text, "| peak memory of the process | {:.0} MiB |", num_bytes as f64 / 1_048_576.0)?;
        }
        writeln!(text)
    }

    fn write_answers(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "## Questions\n")?;
        writeln!(
            text,
            "In process, all questions in turn, several times; the window of the first ones moves each time."
        )?;
        writeln!(text, "Size is the last answer's: the count for a count, else rows or lines of text.\n")?;
        writeln!(text, "| question | median ms | fastest | slowest | size |\n|---|---:|---:|---:|---:|")?;
        for (name, answers) in &self.answers {
            let mut millis: Vec<f64> =
                answers.iter().map(|answer| answer.elapsed.as_secs_f64() * 1e3).collect();
            millis.sort_by(f64::total_cmp);
            let (Some(fastest), Some(slowest), Some(last)) = (millis.first(), millis.last(), answers.last())
            else {
                continue;
            };
            writeln!(
                text,
                "| {name} | {:.2} | {fastest:.2} | {slowest:.2} | {} |",
                median(&millis),
                last.size
            )?;
        }
        Ok(())
    }
}

fn rate(num_records: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    format!("{:.0} rows/s ({seconds:.2} s)", num_records as f64 / seconds.max(f64::MIN_POSITIVE))
}

fn per_row(num_bytes: u64, num_records: u64) -> f64 {
    num_bytes as f64 / num_records.max(1) as f64
}

/// The middle of sorted values, or the mean of the two in the middle.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 30.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 30.0]), 3.0);
    }
}
