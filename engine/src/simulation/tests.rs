//! Seeds that must hold, and machines whose broken promises must be noticed.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::env::vars;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{available_parallelism, scope};

use super::faults::{Fault, STOPS};
use super::steps::{MERGED, WAITS};
use super::{Sabotage, simulate};

/// Seeds that have failed once, with what was wrong.
const REGRESSIONS: &[u64] = &[];

/// Seeds of an ordinary test run.
const DEFAULT_SEEDS: u64 = 300;

/// Seeds that a broken machine may take to be noticed.
const MAX_SABOTAGED_SEEDS: u64 = 60;

/// Lines of a failing seed's history that are shown.
const MAX_TRACE_LINES: usize = 80;

fn setting(name: &str) -> Option<u64> {
    let (_, value) = vars().find(|(found, _)| found == name)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// Runs a seed and notes what has happened; the error says all there is to say about it.
fn check(seed: u64, happened: &Mutex<BTreeSet<String>>) -> Result<(), String> {
    let run = catch_unwind(AssertUnwindSafe(|| simulate(seed, Sabotage::None)));
    let what = match run {
        Ok((trace, Ok(()))) => {
            happened.lock().extend(trace);
            return Ok(());
        }
        Ok((trace, Err(broken))) => {
            let start = trace.len().saturating_sub(MAX_TRACE_LINES);
            format!("{}\n{broken}", trace[start..].join("\n"))
        }
        Err(_) => "it panicked, see above".to_owned(),
    };
    Err(format!("{what}\nTIMBERLINE_SIM_SEED={seed} cargo test --workspace --lib simulation"))
}

/// Runs seeds on all cores; returns what has happened, and the failures of the first ones that fail.
fn check_all(seeds: &[u64]) -> (BTreeSet<String>, Vec<String>) {
    let (next, happened) = (AtomicU64::new(0), Mutex::default());
    let work = || {
        let mut failures = Vec::new();
        while failures.is_empty()
            && let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize)
        {
            failures.extend(check(seed, &happened).err());
        }
        failures
    };
    // A seed waits for its catalog half of the time.
    let num_threads = 2 * available_parallelism().map_or(1, usize::from);
    let failures = scope(|threads| {
        let running: Vec<_> = (0..num_threads).map(|_| threads.spawn(work)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("a thread of seeds")).collect()
    });
    (happened.into_inner(), failures)
}

#[test]
fn nothing_is_lost_doubled_or_left_over_whatever_fails() {
    let one = setting("TIMBERLINE_SIM_SEED");
    let seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => {
            let num_seeds = setting("TIMBERLINE_SIM_SEEDS").unwrap_or(DEFAULT_SEEDS);
            REGRESSIONS.iter().copied().chain(0..num_seeds).collect()
        }
    };
    let (happened, failures) = check_all(&seeds);
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    if seeds.len() as u64 >= DEFAULT_SEEDS {
        let faults = Fault::ALL.map(Fault::line).into_iter();
        let must_happen = faults.chain([MERGED, WAITS, STOPS].map(str::to_owned));
        let missing: Vec<_> = must_happen.filter(|line| !happened.contains(line)).collect();
        assert!(missing.is_empty(), "the seeds are too tame: {missing:?}");
    }
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..5 {
        let (first, _) = simulate(seed, Sabotage::None);
        let (second, _) = simulate(seed, Sabotage::None);
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Some seed must find it, and say so in these words.
#[track_caller]
fn is_noticed(sabotage: Sabotage, words: &[&str]) {
    let found = (0..MAX_SABOTAGED_SEEDS).find_map(|seed| simulate(seed, sabotage).1.err());
    let broken = found.unwrap_or_else(|| panic!("nobody notices {sabotage:?}"));
    let is_named = words.iter().any(|words| broken.0.contains(words));
    assert!(is_named, "{sabotage:?} is taken for something else: {broken}");
}

#[test]
fn a_disk_that_lies_about_frames_is_noticed() {
    is_noticed(Sabotage::AppendIsNeverSynced, &["would be there 0 times", "rows are there", "damaged"]);
}

#[test]
fn a_disk_that_lies_about_names_is_noticed() {
    is_noticed(Sabotage::DirectoryIsNeverSynced, &["would be there", "rows are there", "twice"]);
}

#[test]
fn a_store_that_forgets_objects_is_noticed() {
    is_noticed(Sabotage::PutIsForgotten, &["missing"]);
}

#[test]
fn a_store_that_keeps_what_was_deleted_is_noticed() {
    is_noticed(Sabotage::DeleteIsForgotten, &["objects that nobody knows"]);
}

#[test]
fn a_catalog_that_forgets_what_was_flushed_is_noticed() {
    is_noticed(Sabotage::RangesAreForgotten, &["a row twice", "would be there 2 times"]);
}
