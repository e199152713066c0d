//! What the server tells about itself: its log on stderr, and traces where they are wanted.

use std::io::{IsTerminal, stderr};

use opentelemetry_otlp::ExporterBuildError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};

use crate::config::{LogFormat, ServerConfig};
use crate::telemetry::TraceExport;

/// Starts logging and, where the settings name a collector, sending traces. When something already logs, as in a test,
/// that stays.
///
/// # Errors
/// When traces cannot be sent as the settings say.
pub(super) fn init(config: &ServerConfig) -> Result<Option<TraceExport>, ExporterBuildError> {
    let lines = fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let lines = match config.log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let log = lines.with_filter(EnvFilter::new(&config.log.filter));
    let traces = TraceExport::start(&config.traces)?;
    let _already_set = registry().with(log).with(traces.as_ref().map(TraceExport::layer)).try_init();
    Ok(traces)
}
