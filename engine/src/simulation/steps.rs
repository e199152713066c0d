//! What happens on the simulated machine, one thing at a time.

use std::pin::pin;
use std::sync::atomic::Ordering;

use rand::Rng;
use rand::seq::IndexedRandom;
use tokio_util::sync::CancellationToken;

use super::Broken;
use super::catalog_faults::NUM_REFUSALS;
use super::faults::Fault;
use super::world::{DAY_US, Ended, Held, PROJECTS, World, expect_unavailable};
use crate::schema::{ProjectId, TableId};

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ingest,
    IngestTogether,
    HoldSnapshot,
    ReleaseSnapshot,
    Flush,
    /// A flush waits for the store while other things happen.
    SlowFlush,
    Compact,
    /// As if every window were quiet.
    CompactAll,
    /// A merge waits for the store while other things happen.
    SlowCompact,
    SetRetention,
    Expire,
    /// Files some of whose rows have expired.
    Rewrite,
    Publish,
    DeleteCondemned,
    Tick,
    MoveClock,
    Query,
    Crash,
    Shutdown,
}

/// How a merge stands in the history of a seed.
pub(super) const MERGED: &str = "    merged data files";

/// How a write that waits does.
pub(super) const WAITS: &str = "    a write waits";

/// Work of which a write to the store takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlowWork {
    Flush,
    Compact,
}

/// Every kind, and how often it comes.
const STEPS: [(Step, u32); 19] = [
    (Step::Ingest, 30),
    (Step::IngestTogether, 12),
    (Step::HoldSnapshot, 4),
    (Step::ReleaseSnapshot, 3),
    (Step::Flush, 12),
    (Step::SlowFlush, 5),
    (Step::Compact, 6),
    (Step::CompactAll, 3),
    (Step::SlowCompact, 4),
    (Step::SetRetention, 4),
    (Step::Expire, 5),
    (Step::Rewrite, 2),
    (Step::Publish, 8),
    (Step::DeleteCondemned, 4),
    (Step::Tick, 8),
    (Step::MoveClock, 4),
    (Step::Query, 1),
    (Step::Crash, 3),
    (Step::Shutdown, 2),
];

/// The kinds of steps that one seed takes, with weights of its own: some never, some often.
pub(super) fn weigh_steps(rng: &mut impl Rng) -> Vec<(Step, u32)> {
    STEPS.iter().map(|&(step, weight)| (step, weight * [0, 1, 1, 2, 4][rng.random_range(0..5)])).collect()
}

impl World {
    /// Takes one step. Faults may strike during it, and the machine may stop.
    pub(super) async fn step(&mut self, step: Step) -> Result<(), Broken> {
        self.faults.note(format!("{step:?}"));
        self.faults.switch(true);
        self.arm(step).await?;
        match step {
            Step::Ingest => self.ingest(1).await?,
            Step::IngestTogether => {
                let num_requests = self.rng.random_range(2..6);
                self.ingest(num_requests).await?;
            }
            Step::HoldSnapshot => self.hold_snapshot().await?,
            Step::ReleaseSnapshot if self.held.is_empty() => {}
            Step::ReleaseSnapshot => {
                let released = self.rng.random_range(0..self.held.len());
                self.held.swap_remove(released);
            }
            Step::Flush => self.flush().await?,
            Step::SlowFlush => self.work_slowly(SlowWork::Flush).await?,
            Step::Compact => self.compact(self.now_us).await?,
            Step::CompactAll => self.compact(i64::MAX).await?,
            Step::SlowCompact => self.work_slowly(SlowWork::Compact).await?,
            Step::SetRetention => self.set_retention()?,
            Step::Expire => self.expire().await?,
            Step::Rewrite => self.rewrite().await?,
            Step::Publish => self.publish().await?,
            Step::DeleteCondemned => self.delete_condemned().await?,
            Step::Tick => {
                let (engine, is_expiry_due) = (self.engine(), self.rng.random_bool(0.3));
                let ticked = self
                    .run(async {
                        engine.maintenance().tick(is_expiry_due).await;
                        Ok(())
                    })
                    .await;
                self.note_end("tick", ticked)?;
            }
            Step::MoveClock => {
                let by_us = match self.rng.random_range(0..4) {
                    0 => self.rng.random_range(0..3 * DAY_US),
                    _ => self.rng.random_range(-3_600_000_000..7_200_000_000),
                };
                self.move_clock(by_us);
            }
            Step::Query => self.query().await?,
            Step::Crash => self.faults.stop_now(),
            Step::Shutdown => self.shut_down().await?,
        }
        self.faults.switch(false);
        if self.faults.is_down() {
            let stop = self.any_stop();
            self.crash(stop).await;
            self.catalog.refuse_nothing().await?;
            return self.start().await;
        }
        self.catalog.refuse_nothing().await
    }

    /// Prepares what may go wrong in a step besides the dice of disk and store.
    async fn arm(&mut self, step: Step) -> Result<(), Broken> {
        let lost_answers = match self.faults.strikes(Fault::CatalogAnswerLost) {
            true => self.rng.random_range(1..3),
            false => 0,
        };
        self.engine().catalog().lost_answers.store(lost_answers, Ordering::SeqCst);
        if self.faults.strikes(Fault::CatalogRefused) {
            let which = self.rng.random_range(0..NUM_REFUSALS);
            let what = self.catalog.refuse(which).await?;
            self.faults.note(format!("    the catalog refuses {what}"));
        }
        // Queries read on threads of their own, in no fixed order.
        if !matches!(step, Step::Query | Step::Rewrite) && self.rng.random_bool(0.05) {
            self.faults.stop_after(self.rng.random_range(0..12));
        }
        Ok(())
    }

    fn note_end<T>(&self, what: &str, ended: Ended<T>) -> Result<(), Broken> {
        let text = match ended {
            Ended::Done(_) => return Ok(()),
            Ended::Failed(error) => {
                expect_unavailable(what, &error)?;
                format!("    {what} failed")
            }
            Ended::Stopped => format!("    {what} was cut off"),
        };
        self.faults.note(text);
        Ok(())
    }

    async fn hold_snapshot(&mut self) -> Result<(), Broken> {
        let project = self.project();
        let snapshot = self.engine().snapshot(project);
        let rows = self.reader.rows(self.store.objects(), &snapshot).await.map_err(Broken)?;
        self.held.push(Held { snapshot, rows });
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        let (engine, table) = (self.engine(), TableId::logs(self.project()));
        let flushed = self.run(engine.maintenance().flush_table(table)).await;
        self.note_end("flush", flushed)
    }

    /// Merges until nothing is left to merge, or a merge fails.
    async fn compact(&mut self, as_of_us: i64) -> Result<(), Broken> {
        let engine = self.engine();
        if self.faults.strikes(Fault::GetFailed) {
            self.store.fail_get(self.rng.random_range(1..10));
        }
        let stop = CancellationToken::new();
        let work = async {
            while engine.compactor().compact_as_of(as_of_us, &stop).await? {
                self.faults.note(MERGED.to_owned());
            }
            Ok(())
        };
        let compacted = self.run(work).await;
        self.store.fail_get(0);
        self.note_end("compaction", compacted)
    }

    fn set_retention(&mut self) -> Result<(), Broken> {
        let project = self.project().0;
        match [None, Some(1), Some(2), Some(30)].choose(&mut self.rng).copied().flatten() {
            Some(days) => self.retention.insert(project, days),
            None => self.retention.remove(&project),
        };
        self.tell_retention(project)
    }

    /// Looks for expired files a few times: the removal clock follows by an hour each time. A failure does not
    /// keep the next time from coming.
    async fn expire(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        for _ in 0..self.rng.random_range(1..30) {
            let expired = self.run(engine.maintenance().expire()).await;
            let is_stopped = matches!(expired, Ended::Stopped);
            self.note_end("expiry", expired)?;
            if is_stopped {
                break;
            }
        }
        Ok(())
    }

    async fn rewrite(&mut self) -> Result<(), Broken> {
        let (engine, stop) = (self.engine(), CancellationToken::new());
        let rewritten = self.run(engine.compactor().rewrite_expired(&stop)).await;
        self.note_end("rewriting", rewritten)
    }

    async fn publish(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        let published = self.run(engine.maintenance().publish_and_truncate()).await;
        self.note_end("publication", published)
    }

    async fn delete_condemned(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        let deleted = self.run(engine.maintenance().delete_condemned()).await;
        self.note_end("deletion", deleted)
    }

    /// Work waits for the store while rows come in, snapshots are taken and other work is done.
    async fn work_slowly(&mut self, kind: SlowWork) -> Result<(), Broken> {
        let (engine, table) = (self.engine(), TableId::logs(self.project()));
        let (store, stop) = (self.store.clone(), CancellationToken::new());
        store.hold_put(self.rng.random_range(1..4));
        let work = async {
            match kind {
                SlowWork::Flush => engine.maintenance().flush_table(table).await,
                SlowWork::Compact => engine.compactor().compact_as_of(i64::MAX, &stop).await.map(|_| ()),
            }
        };
        let mut work = pin!(work);
        let ended = tokio::select! {
            biased;
            () = self.faults.stopped() => Some(Ended::Stopped),
            () = store.put_waits() => None,
            ended = &mut work => Some(ended.map_or_else(Ended::Failed, Ended::Done)),
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                self.faults.note(WAITS.to_owned());
                self.work_meanwhile(kind).await?;
                store.let_put_go_on();
                self.run(work).await
            }
        };
        store.hold_put(0);
        self.note_end("slow work", ended)
    }

    async fn work_meanwhile(&mut self, kind: SlowWork) -> Result<(), Broken> {
        for _ in 0..self.rng.random_range(1..6) {
            match self.rng.random_range(0..6) {
                5 => self.expire().await?,
                0 => self.publish().await?,
                1 => self.delete_condemned().await?,
                2 => self.hold_snapshot().await?,
                // One flush at a time: another one would wait for it.
                3 if kind == SlowWork::Compact => self.flush().await?,
                _ => self.ingest(1).await?,
            }
            if self.faults.is_down() {
                return Ok(());
            }
        }
        self.check_rows().await
    }

    async fn query(&mut self) -> Result<(), Broken> {
        let project = self.project();
        if self.rng.random_bool(0.5) {
            self.store.fail_get(self.rng.random_range(1..4));
        }
        self.check_count(project).await
    }

    /// Ends the engine as an operator would. If that fails, the next start has to cope.
    async fn shut_down(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        let ended = self.run(engine.shutdown()).await;
        drop(engine);
        let is_stopped = matches!(ended, Ended::Stopped);
        let is_clean = matches!(ended, Ended::Done(()));
        self.note_end("shutdown", ended)?;
        if is_stopped {
            return Ok(());
        }
        if is_clean {
            self.check_log_is_empty()?;
        }
        self.end_engine().await;
        self.faults.switch(false);
        self.faults.start_again();
        self.store.land_late_objects().await;
        self.catalog.refuse_nothing().await?;
        self.start().await
    }

    /// Without any fault everything comes to rest, and nothing is left over.
    pub(super) async fn settle(&mut self, seed: u64) -> Result<(), Broken> {
        self.faults.note("settle".to_owned());
        self.held.clear();
        self.retention.clear();
        self.check_recovery(seed).await?;
        self.end_engine().await;
        self.store.land_late_objects().await;
        self.start().await?;
        let engine = self.engine();
        let calm = |what: &str, error| Broken(format!("{what} failed without a fault: {error}"));
        engine.flush().await.map_err(|error| calm("a flush", error))?;
        engine.compact(true).await.map_err(|error| calm("a compaction", error))?;
        // A start goes on when the store is down, and sweeps later.
        engine.maintenance().sweep().await.map_err(|error| calm("a sweep", error))?;
        self.check_rows().await?;
        self.check_no_orphans().await?;
        for project in PROJECTS {
            self.check_count(ProjectId(project)).await?;
        }
        engine.shutdown().await.map_err(|error| calm("a shutdown", error))?;
        self.check_log_is_empty()?;
        drop(engine);
        self.end_engine().await;
        self.check_recovery(seed).await
    }

    /// The next kind of step.
    pub(super) fn choose(&mut self, steps: &[(Step, u32)]) -> Step {
        let chosen = steps.choose_weighted(&mut self.rng, |(_, weight)| *weight);
        chosen.map_or(Step::Ingest, |(step, _)| *step)
    }
}
