//! The first load: a day of logs up to now, as fast as they can be taken in.

use std::time::Duration;

use data::{LogGenerator, LogSpec, encode};
use engine::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use crate::cli::CliError;
use crate::state::AppState;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;
const RECORDS_PER_REQUEST: u32 = 2_000;
/// Requests that wait between the generator and the engine; enough to keep both busy.
const MAX_WAITING_REQUESTS: usize = 4;
/// How long a request waits when the engine asks to come back later.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Generates `rows` records of the last 24 hours and takes them in.
pub(super) async fn load(state: &AppState, rows: u64) -> Result<(), CliError> {
    let end_us = state.clock().now_us();
    let spec = LogSpec {
        rows,
        start_us: end_us - DAY_US,
        end_us,
        records_per_request: RECORDS_PER_REQUEST,
        ..LogSpec::default()
    };
    let progress = progress_bar(rows);
    let mut requests = generate(spec)?;
    while let Some((body, num_records)) = requests.recv().await {
        ingest_patiently(state, &body).await?;
        progress.inc(num_records);
    }
    progress.set_message("writing data files");
    state.engine().flush().await?;
    progress.finish_and_clear();
    Ok(())
}

/// Generates on a thread of its own; a reader that goes away ends it.
fn generate(spec: LogSpec) -> Result<mpsc::Receiver<(Vec<u8>, u64)>, CliError> {
    let generator = LogGenerator::new(spec)?;
    let (sender, receiver) = mpsc::channel(MAX_WAITING_REQUESTS);
    tokio::task::spawn_blocking(move || {
        for request in generator {
            let body = (encode::to_protobuf(&request), encode::num_records(&request));
            if sender.blocking_send(body).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

async fn ingest_patiently(state: &AppState, body: &[u8]) -> engine::Result<()> {
    loop {
        match super::ingest(state, body).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => tokio::time::sleep(RETRY_AFTER).await,
            outcome => return outcome,
        }
    }
}

fn progress_bar(rows: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("loading {bar:40} {human_pos}/{human_len} records, {per_sec} {msg}")
            .expect("BUG: the template is a constant");
    ProgressBar::new(rows).with_style(style)
}
