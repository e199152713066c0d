//! The promise of a 200: what was acknowledged is there exactly once, whatever happens to the process.
//!
//! The real binary is killed in the middle of concurrent ingestion, again and again on the same folder.
//! [`process`] starts and ends it, [`writers`] send and remember what was acknowledged, [`ledger`] says what
//! must then be stored.

mod activity;
mod alerts;
mod approvals;
mod ledger;
mod notifications;
pub(crate) mod process;
mod writers;

use ledger::Ledger;
use process::{Folder, Running};
use writers::Writers;

/// Kills in a plain run; `TIMBERLINE_CRASH_ROUNDS` replaces it.
const NUM_ROUNDS: usize = 4;

/// Acknowledged requests before a kill: at least, and how many more at random.
const MIN_ACKS: u32 = 3;
const MORE_ACKS: u32 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_records_survive_sigkill_exactly_once() {
    let folder = Folder::init();
    let mut ledger = Ledger::default();
    for round in 0..num_rounds() {
        let server = Running::start(&folder);
        ledger.check(&server, &folder).await;
        let num_acks = random_num_acks();
        let writers = Writers::start(round, &server, &folder);
        writers.acknowledged(num_acks).await;
        server.kill();
        ledger.add(writers.finish().await);
    }
    let server = Running::start(&folder);
    ledger.check(&server, &folder).await;

    let writers = Writers::start(num_rounds(), &server, &folder);
    writers.acknowledged(random_num_acks()).await;
    server.terminate();
    ledger.add(writers.finish().await);

    let server = Running::start(&folder);
    ledger.check(&server, &folder).await;
    server.terminate();
}

#[test]
fn a_folder_is_initialised_once() {
    let folder = Folder::init();
    let again = folder.init_again();
    assert!(!again.status.success());
    assert!(again.stdout.is_empty(), "credentials are shown once");
    assert_eq!(String::from_utf8_lossy(&again.stderr).lines().count(), 1, "an error is one line");
}

fn num_rounds() -> usize {
    std::env::var("TIMBERLINE_CRASH_ROUNDS").map_or(NUM_ROUNDS, |text| text.parse().expect("a whole number"))
}

/// How far a round goes is random, so that a kill meets every step of ingestion and of a flush in time.
fn random_num_acks() -> u32 {
    MIN_ACKS + getrandom::u32().expect("random bytes") % MORE_ACKS
}
