//! What a server tells of itself at `/metrics`, in the text format of Prometheus.

/// What is of use; nothing where it does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metrics {
    pub(super) version: Option<String>,
    /// Of all its rows and the index of streams, whosever they are.
    pub(super) num_bytes: Option<u64>,
    pub(super) peak_memory_bytes: Option<u64>,
}

impl Metrics {
    pub(super) fn of(text: &str) -> Self {
        let version = samples(text, "vm_app_version").find_map(|(labels, _)| {
            let (_, version) = labels.split_once("short_version=\"")?;
            let version: String = version
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".-_+".contains(*c))
                .take(40)
                .collect();
            (!version.is_empty()).then_some(version)
        });
        let sizes = samples(text, "vl_data_size_bytes").map(|(_, value)| value);
        let num_bytes = sizes.reduce(|sum, size| sum + size).map(|sum| sum as u64);
        let peak = samples(text, "process_resident_memory_peak_bytes").next();
        Self { version, num_bytes, peak_memory_bytes: peak.map(|(_, value)| value as u64) }
    }
}

/// The labels and values of a metric.
fn samples<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    text.lines().filter_map(move |line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let is_its = labels.is_empty() || labels.starts_with('{');
        is_its.then_some((labels, value.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_summed_and_what_is_not_told_is_unknown() {
        let text = "vm_app_version{version=\"victoria-logs-20260101\", short_version=\"v1.40.0\"} 1\n\
                    vl_data_size_bytes{type=\"indexdb\"} 1024\n\
                    vl_data_size_bytes{type=\"storage\"} 2.5e+06\n\
                    vl_data_size_bytes_more 9\n\
                    process_resident_memory_peak_bytes 104857600\n";
        let metrics = Metrics::of(text);
        assert_eq!(metrics.version.as_deref(), Some("v1.40.0"));
        assert_eq!((metrics.num_bytes, metrics.peak_memory_bytes), (Some(2_501_024), Some(104_857_600)));
        assert_eq!(Metrics::of("<html>no metrics here</html>"), Metrics::default());
    }
}
