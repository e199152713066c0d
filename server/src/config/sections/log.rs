//! `log`: how the server logs about itself.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::config::setting::{Setting, parse};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "log",
        key: "format",
        doc: "form of the server's own log on stderr: text or json",
        default: "text",
        apply: |config, text| log_format(text).map(|value| config.log.format = value),
    },
    Setting {
        section: "log",
        key: "filter",
        doc: "which events are logged, like info or server=debug",
        default: "info",
        apply: |config, text| {
            EnvFilter::try_new(text).map_err(|error| format!("{text:?} is not a log filter: {error}"))?;
            config.log.filter = text.to_owned();
            Ok(())
        },
    },
    Setting {
        section: "log",
        key: "slow_query_ms",
        doc: "requests that take this long or longer are logged as a warning, milliseconds; 0 logs none",
        default: "1000",
        apply: |config, text| {
            let value = parse::<u64>(text, "a whole number of milliseconds")?;
            config.log.slow_query = (value > 0).then(|| Duration::from_millis(value));
            Ok(())
        },
    },
];

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not text or json")),
    }
}
