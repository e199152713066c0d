//! Prometheus' text format.

use std::fmt::{Display, Write as _};

use engine::stats::{CountedDurations, DURATION_BOUNDS_US};

/// The media type.
pub(crate) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

const US_PER_SECOND: f64 = 1e6;

/// Labels of one series: names and values.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// A text in the making; series of one family are written one after the other.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

impl Exposition {
    /// A family of one series that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.series(name, &[], value);
    }

    /// A family of one series that only goes up.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.series(name, &[], value);
    }

    /// A family of one histogram of seconds.
    pub(super) fn histogram(&mut self, name: &str, help: &str, durations: &CountedDurations) {
        self.family(name, "histogram", help);
        self.durations(name, &[], durations);
    }

    /// Begins a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number of the family.
    pub(super) fn series(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        let labels = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    /// One histogram of the family.
    pub(super) fn durations(&mut self, name: &str, labels: &Labels<'_>, durations: &CountedDurations) {
        let ends = DURATION_BOUNDS_US.iter().map(|us| (*us as f64 / US_PER_SECOND).to_string());
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (end, in_range) in ends.chain(["+Inf".to_owned()]).zip(durations.counts) {
            count += in_range;
            self.series(&bucket, &[labels, &[("le", &end)]].concat(), count);
        }
        self.series(&format!("{name}_sum"), labels, durations.sum_us as f64 / US_PER_SECOND);
        self.series(&format!("{name}_count"), labels, count);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::stats::Durations;

    use super::*;

    #[test]
    fn a_histogram_adds_up_from_range_to_range() {
        let durations = Durations::default();
        durations.record(Duration::from_micros(90));
        durations.record(Duration::from_millis(200));
        durations.record(Duration::from_secs(90));
        let mut text = Exposition::default();
        text.family("a_seconds", "histogram", "Help.");
        text.durations("a_seconds", &[("endpoint", "/\"x\"")], &durations.counted());
        let text = text.into_text();
        for line in [
            "# HELP a_seconds Help.",
            "# TYPE a_seconds histogram",
            "a_seconds_bucket{endpoint=\"/\\\"x\\\"\",le=\"0.0001\"} 1",
            "a_seconds_bucket{endpoint=\"/\\\"x\\\"\",le=\"0.1\"} 1",
            "a_seconds_bucket{endpoint=\"/\\\"x\\\"\",le=\"0.25\"} 2",
            "a_seconds_bucket{endpoint=\"/\\\"x\\\"\",le=\"60\"} 2",
            "a_seconds_bucket{endpoint=\"/\\\"x\\\"\",le=\"+Inf\"} 3",
            "a_seconds_sum{endpoint=\"/\\\"x\\\"\"} 90.20009",
            "a_seconds_count{endpoint=\"/\\\"x\\\"\"} 3",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_series_without_labels_has_no_braces() {
        let mut text = Exposition::default();
        text.gauge("a_bytes", "Help.", 5);
        assert_eq!(text.into_text(), "# HELP a_bytes Help.\n# TYPE a_bytes gauge\na_bytes 5\n");
    }
}
