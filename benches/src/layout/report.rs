//! What was measured, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use data::LogSpec;

use super::questions::Answer;
use super::trial::Trial;
use crate::machine::Machine;

/// One layout's numbers, over all its files.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayoutNumbers {
    /// What it is called.
    pub(crate) name: String,
    /// Rows written.
    pub(crate) num_rows: u64,
    /// Bytes of all files.
    pub(crate) num_bytes: u64,
    /// Bytes of columns.
    pub(crate) column_bytes: BTreeMap<String, u64>,
    /// Time to put rows into order.
    pub(crate) order: Duration,
    /// Time from ordered rows to closed files.
    pub(crate) write: Duration,
    /// Answers to all questions.
    pub(crate) answers: Vec<Answer>,
}

impl LayoutNumbers {
    fn per_row(&self, num_bytes: u64) -> f64 {
        num_bytes as f64 / self.num_rows.max(1) as f64
    }

    /// Bytes of a row, all in.
    pub(crate) fn bytes_per_row(&self) -> f64 {
        self.per_row(self.num_bytes)
    }
}

/// A part of a report.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: String,
    /// Text below it.
    pub(crate) note: String,
    /// What every layout was asked.
    pub(crate) questions: Vec<String>,
    /// Whole layouts that it compares.
    pub(crate) layouts: Vec<LayoutNumbers>,
    /// Single columns that it compares.
    pub(crate) trials: Vec<Trial>,
}

/// The report as Markdown.
pub(crate) fn to_markdown(machine: &Machine, spec: &LogSpec, command: &str, sections: &[Section]) -> String {
    let mut text = String::new();
    write_report(&mut text, machine, spec, command, sections)
        .expect("BUG: writing to a string does not fail");
    text
}

fn write_report(
    text: &mut String,
    machine: &Machine,
    spec: &LogSpec,
    command: &str,
    sections: &[Section],
) -> std::fmt::Result {
    let num_keys = spec.num_attribute_keys.num_keys();
    writeln!(text, "# Layouts of {} log records, {num_keys} attribute keys\n", spec.rows)?;
    writeln!(text, "| | |\n|---|---|")?;
    writeln!(text, "| processor | {}, {} usable |", machine.cpu, machine.num_cpus)?;
    writeln!(text, "| memory | {} |", machine.memory)?;
    writeln!(text, "| source | {}, {} build |", machine.commit, machine.profile)?;
    let (seed, shape) = (spec.seed, spec.shape);
    let (start_us, end_us) = (spec.start_us, spec.end_us);
    writeln!(text, "| data | seed {seed}, shape {shape:?}, {start_us} to {end_us} us |")?;
    writeln!(text, "| command | `{command}` |\n")?;
    writeln!(
        text,
        "Plain Parquet files, written and read by one thread; times are medians of five rounds, files in the page cache, \
         footers and page indexes in memory.\nSizes repeat exactly; times are comparable within one run only.\n"
    )?;
    for section in sections {
        writeln!(text, "## {}\n\n{}\n", section.title, section.note)?;
        if !section.layouts.is_empty() {
            write_totals(text, &section.layouts)?;
            write_questions(text, &section.questions, &section.layouts)?;
            write_columns(text, &section.layouts)?;
        }
        if !section.trials.is_empty() {
            write_trials(text, &section.trials)?;
        }
    }
    Ok(())
}

fn write_totals(text: &mut String, layouts: &[LayoutNumbers]) -> std::fmt::Result {
    writeln!(text, "| layout | bytes/row | order, rows/s | encode, rows/s |\n|---|---:|---:|---:|")?;
    for layout in layouts {
        let rate = |elapsed: Duration| layout.num_rows as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
        writeln!(
            text,
            "| {} | {:.2} | {:.0} | {:.0} |",
            layout.name,
            layout.bytes_per_row(),
            rate(layout.order),
            rate(layout.write)
        )?;
    }
    writeln!(text)
}

fn write_questions(text: &mut String, questions: &[String], layouts: &[LayoutNumbers]) -> std::fmt::Result {
    writeln!(text, "Each answer: milliseconds; row groups / pages / KiB that it reads.\n")?;
    writeln!(text, "| layout | {} |", questions.join(" | "))?;
    writeln!(text, "|---|{}", "---:|".repeat(questions.len()))?;
    for layout in layouts {
        write!(text, "| {} |", layout.name)?;
        for Answer { elapsed, touched, .. } in &layout.answers {
            let millis = elapsed.as_secs_f64() * 1e3;
            let kib = touched.num_bytes.div_ceil(1024);
            write!(text, " {millis:.1}; {} / {} / {kib} |", touched.num_row_groups, touched.num_pages)?;
        }
        writeln!(text)?;
    }
    writeln!(text)
}

fn write_columns(text: &mut String, layouts: &[LayoutNumbers]) -> std::fmt::Result {
    writeln!(text, "Bytes of each column for each row:\n")?;
    write!(text, "| column |")?;
    for number in 1..=layouts.len() {
        write!(text, " {number} |")?;
    }
    writeln!(text, "\n|---|{}", "---:|".repeat(layouts.len()))?;
    let mut columns: BTreeMap<&str, u64> = BTreeMap::new();
    for (column, bytes) in layouts.iter().flat_map(|layout| &layout.column_bytes) {
        let most = columns.entry(column).or_default();
        *most = (*most).max(*bytes);
    }
    let mut columns: Vec<_> = columns.into_iter().collect();
    columns.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
    for (column, _) in columns {
        write!(text, "| {column} |")?;
        for layout in layouts {
            match layout.column_bytes.get(column) {
                Some(bytes) => write!(text, " {:.3} |", layout.per_row(*bytes))?,
                None => write!(text, " |")?,
            }
        }
        writeln!(text)?;
    }
    write!(text, "| footer, indexes |")?;
    for layout in layouts {
        let others = layout.num_bytes - layout.column_bytes.values().sum::<u64>();
        write!(text, " {:.3} |", layout.per_row(others))?;
    }
    writeln!(text, "\n\nThe numbers are the layouts of the table above, in its order.\n")
}

fn write_trials(text: &mut String, trials: &[Trial]) -> std::fmt::Result {
    writeln!(text, "| column: encoding | bytes/row | write ms | read ms |\n|---|---:|---:|---:|")?;
    for trial in trials {
        let millis = |elapsed: Duration| elapsed.as_secs_f64() * 1e3;
        writeln!(
            text,
            "| {} | {:.3} | {:.0} | {:.1} |",
            trial.name,
            trial.bytes_per_row,
            millis(trial.write),
            millis(trial.read)
        )?;
    }
    writeln!(text)
}
