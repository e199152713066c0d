//! A VictoriaLogs server that runs somewhere, or any other that speaks its HTTP API.
//!
//! Written from its documentation and tested against a stand-in that takes and answers what is sent here; it has not
//! been run against VictoriaLogs itself.
//!
//! | module | what |
//! |---|---|
//! | `server` | its address, and requests to it |
//! | `lines` | rows as it takes them |
//! | `reply` | what it answers |
//! | `metrics` | what it tells of itself |
//!
//! Every run writes to a tenant of its own, so that rows of others do not count. They stay there until the server's
//! retention takes them away.

mod lines;
mod metrics;
mod reply;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};

use self::metrics::Metrics;
use self::server::Server;
pub use self::server::VictoriaLogsUrl;
use super::{Facts, Replied};
use crate::side_by_side::answer::Answer;
use crate::side_by_side::load::Rows;
use crate::side_by_side::questions::{Asked, LogsQl, rfc3339};
use crate::side_by_side::traits::Chosen;

/// Requests in flight at one time, as for Timberline.
const NUM_SENDERS: usize = 8;

/// A server and what is known of it.
#[derive(Debug)]
pub(in crate::side_by_side) struct VictoriaLogs {
    server: Server,
    /// Before rows were sent.
    metrics: Metrics,
    load: Duration,
    num_bytes: Option<u64>,
}

impl VictoriaLogs {
    /// Looks whether a server answers, so that a wrong address is told before rows are made.
    ///
    /// # Errors
    /// When it does not, or not as VictoriaLogs does.
    pub(in crate::side_by_side) async fn reach(url: &VictoriaLogsUrl) -> Result<Self> {
        let server = Server::new(url.clone())?;
        let peer = Self { metrics: server.metrics().await, server, load: Duration::ZERO, num_bytes: None };
        let num_rows = peer.count().await?;
        ensure!(num_rows == 0, "the new tenant of {url} has {num_rows} rows already: does it know tenants?");
        Ok(peer)
    }

    /// Sends all rows, and waits until they can be asked for. Making them ready is not timed.
    ///
    /// # Errors
    /// When the server refuses rows, or has not all of them.
    pub(in crate::side_by_side) async fn load(&mut self, rows: &Rows, folder: &Path) -> Result<()> {
        let bodies = lines::prepare(&rows.file, folder.join("victorialogs"))?;
        let started = Instant::now();
        let sends = bodies.read()?.map(|body| async { self.server.insert(body?.1).await });
        let sends = futures::stream::iter(sends).buffer_unordered(NUM_SENDERS);
        sends.try_for_each(|()| async { Ok(()) }).await?;
        self.server.flush().await?;
        self.load = started.elapsed();
        self.check(&rows.chosen).await?;
        let (before, after) = (self.metrics.num_bytes, self.server.metrics().await.num_bytes);
        self.num_bytes = after
            .zip(before)
            .and_then(|(after, before)| after.checked_sub(before))
            .filter(|bytes| *bytes > 0);
        Ok(())
    }

    /// It says nothing of rows that it drops.
    async fn check(&self, chosen: &Chosen) -> Result<()> {
        let (num_rows, num_sent) = (self.count().await?, chosen.num_rows);
        ensure!(
            num_rows == num_sent,
            "{} has {num_rows} of {num_sent} rows, which are from {} to {}: it drops rows that are older than its \
             -retentionPeriod (7 days if it is not set) or further ahead than its -futureRetention (2 days), so set \
             these, such as -retentionPeriod=100y -futureRetention=100y; it also drops rows beyond \
             -insert.maxLineSizeBytes or -insert.maxFieldsPerLine, and with names of fields of more than 128 bytes",
            self.server.url,
            rfc3339(chosen.min_us),
            rfc3339(chosen.max_us)
        );
        Ok(())
    }

    async fn count(&self) -> Result<u64> {
        let (_, answer) = self.answer(&LogsQl::count_everything()).await?;
        let count = answer.0.first().and_then(|row| row.first()).context("a count without a number")?;
        Ok(count.parse()?)
    }

    /// Asks, and returns the time until the whole reply was there with the answer; nothing where LogsQL has no exact
    /// answer.
    ///
    /// # Errors
    /// When the reply is no success, or not what was asked for.
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> Result<Option<Replied>> {
        let Some(logsql) = asked.logsql() else { return Ok(None) };
        let (elapsed, answer) = self.answer(&logsql).await?;
        Ok(Some(Replied { elapsed, answer, question: logsql.query }))
    }

    async fn answer(&self, logsql: &LogsQl) -> Result<(Duration, Answer)> {
        let (elapsed, reply) = self.server.query(&logsql.query).await?;
        let answer = reply::decode(&reply, &logsql.columns)
            .with_context(|| format!("an unexpected reply of {} to {}", self.server.url, logsql.query))?;
        Ok((elapsed, answer))
    }

    /// What the report tells of it.
    pub(super) async fn facts(&self) -> Facts {
        let version = self.metrics.version.as_deref().unwrap_or("of an unknown version");
        Facts {
            name: "victorialogs",
            version: format!("VictoriaLogs {version}"),
            load: self.load,
            num_bytes: self.num_bytes,
            peak_memory_bytes: self.server.metrics().await.peak_memory_bytes,
        }
    }
}
