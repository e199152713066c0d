//! How times grow with the number of rows.

use std::fmt::Write;

use super::plot::{Bars, plot};
use super::report::{SideBySide, median, millis};

/// What the same questions took of Timberline at several numbers of rows.
#[derive(Debug)]
pub struct Growth<'a> {
    runs: &'a [SideBySide],
}

impl<'a> Growth<'a> {
    /// Of runs, the one of the fewest rows first.
    pub fn of(runs: &'a [SideBySide]) -> Self {
        Self { runs }
    }

    /// The report as Markdown.
    pub fn to_markdown(&self, command: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, command).expect("BUG: writing to a string does not fail");
        text
    }

    /// The times as a plot: SVG.
    pub fn to_svg(&self) -> String {
        let sizes: Vec<String> = self.runs.iter().map(|run| format!("{} rows", run.num_rows)).collect();
        let sizes: Vec<&str> = sizes.iter().map(String::as_str).collect();
        let bars: Vec<Bars> = self
            .medians()
            .into_iter()
            .map(|(name, values)| Bars { name, values: values.into_iter().map(Some).collect() })
            .collect();
        plot("Timberline: milliseconds as rows grow", &sizes, &bars)
    }

    /// Milliseconds of each question that all runs asked.
    fn medians(&self) -> Vec<(&'static str, Vec<f64>)> {
        let Some(first) = self.runs.first() else { return Vec::new() };
        let of_run = |run: &SideBySide, name: &str| {
            let timed = run.timed.iter().find(|timed| timed.question.name == name)?;
            median(timed.times.first()?).map(millis)
        };
        let named = first.timed.iter().map(|timed| timed.question.name);
        let medians = named.filter_map(|name| {
            let values = self.runs.iter().map(|run| of_run(run, name)).collect::<Option<Vec<f64>>>();
            Some((name, values?))
        });
        medians.collect()
    }

    fn write(&self, text: &mut String, command: &str) -> std::fmt::Result {
        writeln!(text, "# As rows grow\n\n`{command}`\n")?;
        writeln!(text, "Medians of Timberline over HTTP, milliseconds.\n")?;
        let sizes: String = self.runs.iter().map(|run| format!(" {} rows |", run.num_rows)).collect();
        writeln!(text, "| question |{sizes} last to first |\n|---|{}", "---:|".repeat(self.runs.len() + 1))?;
        for (name, values) in self.medians() {
            let cells: String = values.iter().map(|value| format!(" {value:.2} |")).collect();
            let growth = values.last().unwrap_or(&0.0) / values.first().unwrap_or(&1.0);
            writeln!(text, "| {name} |{cells} {growth:.2} |")?;
        }
        Ok(())
    }
}
