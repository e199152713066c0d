//! The dice of a simulation: what fails when, and where the machine stops.

use parking_lot::Mutex;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Notify;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no room for a new log segment.
    DiskFull,
    /// The header of a new log segment cannot be synced.
    SegmentCreate,
    /// A frame is written in part.
    AppendWrite,
    /// A frame is written and cannot be synced.
    AppendSync,
    SegmentRead,
    SegmentSettle,
    SegmentRemove,
    DirectorySync,
    /// An object is not stored, and the store says so.
    PutRefused,
    /// An object is stored, and the store says that it is not.
    PutAnswerLost,
    /// As `PutAnswerLost`, and the object appears later.
    PutLate,
    /// An object is stored twice.
    PutTwice,
    /// An object takes its time.
    PutSlow,
    GetFailed,
    DeleteRefused,
    DeleteAnswerLost,
    /// A transaction of the catalog fails.
    CatalogRefused,
    /// A transaction of the catalog is committed and its answer gets lost.
    CatalogAnswerLost,
}

/// How the stop of a machine stands in the history of a seed.
pub(super) const STOPS: &str = "    the machine stops";

impl Fault {
    /// Every fault.
    pub(super) const ALL: [Self; 18] = [
        Self::DiskFull,
        Self::SegmentCreate,
        Self::AppendWrite,
        Self::AppendSync,
        Self::SegmentRead,
        Self::SegmentSettle,
        Self::SegmentRemove,
        Self::DirectorySync,
        Self::PutRefused,
        Self::PutAnswerLost,
        Self::PutLate,
        Self::PutTwice,
        Self::PutSlow,
        Self::GetFailed,
        Self::DeleteRefused,
        Self::DeleteAnswerLost,
        Self::CatalogRefused,
        Self::CatalogAnswerLost,
    ];

    /// How it stands in the history of a seed.
    pub(super) fn line(self) -> String {
        format!("    fault: {self:?}")
    }
}

/// How an input or output operation finds the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// It works.
    Up,
    /// It stops in this very operation.
    Stopping,
    /// It has stopped: nothing has any effect.
    Down,
}

/// The dice of one seed, shared by the disk, the store and whoever drives the engine.
///
/// Everything is decided in the order of the calls, so the same calls meet the same faults.
#[derive(Debug)]
pub(super) struct Faults {
    state: Mutex<State>,
    stopped: Notify,
}

#[derive(Debug)]
struct State {
    rng: ChaCha8Rng,
    /// Chances in a thousand.
    rates: [u32; Fault::ALL.len()],
    is_on: bool,
    /// Operations until the machine stops.
    stop_in: Option<u32>,
    is_down: bool,
    trace: Vec<String>,
}

impl Faults {
    /// Each seed knows some faults and not others: rare combinations get their seeds too.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rates = [0; Fault::ALL.len()];
        for rate in &mut rates {
            *rate = [0, 0, 10, 50, 200][rng.random_range(0..5)];
        }
        let state = State { rng, rates, is_on: false, stop_in: None, is_down: false, trace: Vec::new() };
        Self { state: Mutex::new(state), stopped: Notify::new() }
    }

    /// Lets faults strike, or none.
    pub(super) fn switch(&self, is_on: bool) {
        self.state.lock().is_on = is_on;
    }

    /// Whether a fault strikes now.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let mut state = self.state.lock();
        let rate = state.rates[fault as usize];
        let strikes = state.is_on && rate > 0 && state.rng.random_range(0..1000) < rate;
        if strikes {
            state.trace.push(fault.line());
        }
        strikes
    }

    /// A number below `end`.
    pub(super) fn below(&self, end: usize) -> usize {
        self.state.lock().rng.random_range(0..end.max(1))
    }

    /// The machine stops at an operation soon.
    pub(super) fn stop_after(&self, num_operations: u32) {
        self.state.lock().stop_in = Some(num_operations);
    }

    /// Counts an operation.
    pub(super) fn operation(&self) -> Machine {
        let mut state = self.state.lock();
        if state.is_down {
            return Machine::Down;
        }
        match &mut state.stop_in {
            Some(0) => {
                state.is_down = true;
                state.trace.push(STOPS.to_owned());
                self.stopped.notify_one();
                Machine::Stopping
            }
            Some(left) => {
                *left -= 1;
                Machine::Up
            }
            None => Machine::Up,
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.state.lock().is_down
    }

    /// Returns once the machine has stopped.
    pub(super) async fn stopped(&self) {
        while !self.is_down() {
            self.stopped.notified().await;
        }
    }

    /// Nothing has any effect from here on.
    pub(super) fn stop_now(&self) {
        self.state.lock().is_down = true;
    }

    /// The machine works again.
    pub(super) fn start_again(&self) {
        let mut state = self.state.lock();
        (state.is_down, state.stop_in) = (false, None);
    }

    pub(super) fn note(&self, text: String) {
        self.state.lock().trace.push(text);
    }

    /// What has happened so far.
    pub(super) fn trace(&self) -> Vec<String> {
        self.state.lock().trace.clone()
    }
}
