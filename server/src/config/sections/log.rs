//! `log`: how the server logs about itself.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use crate::config::setting::Setting;

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
];

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is not text or json")),
    }
}
