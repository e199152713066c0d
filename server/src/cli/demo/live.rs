//! The light stream: a few records a second, with the current time.

use std::time::Duration;

use data::{Incidents, LogGenerator, LogSpec, encode};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::state::AppState;

const SECOND_US: i64 = 1_000_000;
const RECORDS_PER_SECOND: u64 = 3;

/// Takes in records of each past second until the stop.
pub(super) async fn stream(state: AppState, stop: CancellationToken) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = seconds.tick() => {}
            () = stop.cancelled() => return,
        }
        for body in requests_of_last_second(state.clock().now_us()) {
            if let Err(error) = super::ingest(&state, &body).await {
                // The next second is a new attempt; a demo does not keep what it could not send.
                tracing::warn!(%error, "the demo's stream missed a second");
            }
        }
    }
}

/// Each second has its own seed, so that no two are alike.
fn requests_of_last_second(now_us: i64) -> Vec<Vec<u8>> {
    let spec = LogSpec {
        seed: now_us.unsigned_abs(),
        rows: RECORDS_PER_SECOND,
        start_us: now_us - SECOND_US,
        end_us: now_us,
        incidents: Incidents::Quiet,
        ..LogSpec::default()
    };
    match LogGenerator::new(spec) {
        Ok(requests) => requests.map(|request| encode::to_protobuf(&request)).collect(),
        // Only a clock that is far off makes a range that cannot be generated.
        Err(error) => {
            tracing::warn!(%error, "the demo's stream has no time to generate");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::ingest::{RecordLimits, decode_otlp_protobuf};

    use super::*;

    #[test]
    fn a_second_has_its_records() {
        let num_rows =
            |body: Vec<u8>| decode_otlp_protobuf(&body, 0, &RecordLimits::default()).unwrap().num_rows();
        let rows: usize = requests_of_last_second(1_765_881_156_184_820).into_iter().map(num_rows).sum();
        assert_eq!(rows as u64, RECORDS_PER_SECOND);
        assert!(requests_of_last_second(0).is_empty());
    }
}
