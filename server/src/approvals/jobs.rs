//! What happens to requests by themselves: approved ones are finished, old ones expire, those whose thing has changed
//! are marked, and approvers are reminded.
//!
//! One server at a time does this, by a lease; whatever it does to a request is a transaction that looks at the request
//! first, so that nothing happens twice even where a lease has run out.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::apply::{Unapplied, require_unchanged, stored_write};
use super::{Approvals, failed, gone, notice};
use crate::activity::entry::Actor;
use crate::error::ApiError;
use crate::meta::approval::{self, Outcome, RequestState, Validation};

const MINUTE_US: i64 = 60 * 1_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
const DAY_US: i64 = 24 * HOUR_US;
/// Minutes after the hour at which requests expire; validation is at the hour itself.
const EXPIRY_OFFSET_US: i64 = 5 * MINUTE_US;
/// How often the clock is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// By which the database knows the lease.
const JOB: &str = "approvals";
/// How long a lease lasts; it is renewed before each batch.
const LEASE_US: i64 = MINUTE_US;
/// Requests that are looked for at a time.
const BATCH: i64 = 50;

/// The jobs of a running server.
#[derive(Debug)]
pub(crate) struct ApprovalJobs {
    worker: Arc<Worker>,
    stop: CancellationToken,
    task: parking_lot::Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Debug)]
struct Worker {
    approvals: Approvals,
    owner: String,
    stop: CancellationToken,
    /// One run at a time.
    turn: Mutex<()>,
}

/// Work of one kind, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    Finish,
    Validate,
    Expire,
    Remind,
}

impl ApprovalJobs {
    /// Does at once what was due while no server ran, and goes on.
    ///
    /// # Errors
    /// When the metadata database fails.
    pub(crate) async fn start(approvals: Approvals) -> Result<Self, crate::meta::MetaError> {
        if approvals.meta().is_file() {
            // Whoever had the lease was this process before it was stopped.
            approvals.meta().end_job(JOB).await?;
        }
        let jobs = Self::idle(approvals);
        let task = tokio::spawn(watch(Arc::clone(&jobs.worker), jobs.stop.clone()));
        *jobs.task.lock() = Some(AbortOnDropHandle::new(task));
        Ok(jobs)
    }

    /// Jobs that run only when they are told to.
    pub(super) fn idle(approvals: Approvals) -> Self {
        let stop = CancellationToken::new();
        let worker = Worker {
            approvals,
            owner: Uuid::now_v7().to_string(),
            stop: stop.clone(),
            turn: Mutex::default(),
        };
        Self { worker: Arc::new(worker), stop, task: parking_lot::Mutex::new(None) }
    }

    /// Does everything that is due now, as happens in the background.
    ///
    /// # Errors
    /// When the metadata database does not answer.
    pub(crate) async fn run(&self) -> Result<(), ApiError> {
        self.worker.run(&[Job::Finish, Job::Validate, Job::Expire, Job::Remind]).await
    }

    /// Does no more, once what is under way has ended.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the jobs of approvals have failed");
        }
    }
}

async fn watch(worker: Arc<Worker>, stop: CancellationToken) {
    let (mut minute, mut hour, mut expiry) = (None, None, None);
    while !stop.is_cancelled() {
        let now_us = worker.approvals.now_us();
        let is_new = |last: &mut Option<i64>, us: i64, width_us: i64| {
            let current = us.div_euclid(width_us);
            last.replace(current) != Some(current)
        };
        let mut jobs = Vec::new();
        if is_new(&mut minute, now_us, MINUTE_US) {
            jobs.push(Job::Finish);
        }
        if is_new(&mut hour, now_us, HOUR_US) {
            jobs.push(Job::Validate);
        }
        if is_new(&mut expiry, now_us - EXPIRY_OFFSET_US, HOUR_US) {
            jobs.extend([Job::Expire, Job::Remind]);
        }
        if !jobs.is_empty()
            && let Err(error) = worker.run(&jobs).await
        {
            tracing::error!(%error, "cannot look after change requests");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

impl Worker {
    async fn run(&self, jobs: &[Job]) -> Result<(), ApiError> {
        let _turn = self.turn.lock().await;
        for job in jobs {
            if !self.run_one(*job).await? {
                break;
            }
        }
        self.approvals.meta().give_job_back(JOB, &self.owner).await?;
        Ok(())
    }

    /// Whether this server does the work.
    async fn run_one(&self, job: Job) -> Result<bool, ApiError> {
        let mut after = String::new();
        while !self.stop.is_cancelled() {
            let now_us = self.approvals.now_us();
            let ids = self.due(job, &after, now_us).await?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            if !self.approvals.meta().take_job(JOB, &self.owner, now_us, LEASE_US).await? {
                return Ok(false);
            }
            for id in &ids {
                // One that cannot be dealt with does not hold up the others.
                if let Err(error) = self.approvals.deal_with(job, id, now_us).await {
                    tracing::error!(%error, change_request = id, ?job, "cannot look after a change request");
                }
            }
        }
        Ok(true)
    }

    async fn due(&self, job: Job, after: &str, now_us: i64) -> Result<Vec<String>, ApiError> {
        let meta = self.approvals.meta();
        Ok(match job {
            Job::Finish => meta.change_requests_in(RequestState::Approved, after, BATCH).await?,
            Job::Validate => meta.change_requests_in(RequestState::Pending, after, BATCH).await?,
            Job::Expire => meta.overdue_change_requests(after, BATCH, now_us).await?,
            Job::Remind => meta.change_requests_to_remind(after, BATCH, now_us + DAY_US).await?,
        })
    }
}

impl Approvals {
    async fn deal_with(&self, job: Job, id: &str, now_us: i64) -> Result<(), ApiError> {
        match job {
            Job::Finish => self.apply(id).await.map(drop),
            Job::Validate => self.validate(id, now_us).await,
            Job::Expire => self.expire(id, now_us).await,
            Job::Remind => self.remind(id, now_us).await,
        }
    }

    /// Ends a request that is open and whose time is over.
    pub(super) async fn expire(&self, id: &str, now_us: i64) -> Result<(), ApiError> {
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        if !request.state.is_open() || request.expires_us > now_us {
            return Ok(());
        }
        approval::set_outcome(connection, &request, &Outcome::Expired, now_us).await?;
        let to = Some(RequestState::Expired);
        notice::tell(connection, &request, &Actor::system(), "expired", to, now_us).await?;
        let words = ("has expired", "Nobody decided in time.".to_owned());
        self.mail_requester(connection, &request, words, now_us).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Looks whether a pending request could be applied. One whose thing has changed stays stale.
    async fn validate(&self, id: &str, now_us: i64) -> Result<(), ApiError> {
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        if request.state != RequestState::Pending || matches!(request.validation, Validation::Stale(_)) {
            return Ok(());
        }
        if let (Some(resource_id), Ok(write)) = (&request.resource_id, stored_write(&request)) {
            let current = write.load(connection, &request.place, resource_id).await?;
            if let Err(reason) = require_unchanged(&request, current.as_ref()) {
                let found = Validation::Stale(reason);
                approval::set_validation(connection, id, &found, now_us).await?;
                notice::tell(connection, &request, &Actor::system(), "became stale", None, now_us).await?;
                return transaction.commit().await.map_err(failed);
            }
        }
        connection.execute("SAVEPOINT validated").await.map_err(failed)?;
        let requester = Actor::user(request.created_by, None, None);
        let found = match self.replay(connection, &request, &requester, now_us).await {
            Ok(_) => Validation::Valid,
            Err(Unapplied::Broken(error)) => return Err(error),
            Err(unapplied) => unapplied.validation().unwrap_or_default(),
        };
        connection.execute("ROLLBACK TO SAVEPOINT validated").await.map_err(failed)?;
        if found == request.validation {
            return Ok(());
        }
        approval::set_validation(connection, id, &found, now_us).await?;
        let word = if found == Validation::Valid { "became valid" } else { "became invalid" };
        notice::tell(connection, &request, &Actor::system(), word, None, now_us).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Reminds the approvers of a request that expires soon, once; of one that was made for less than a day never.
    async fn remind(&self, id: &str, now_us: i64) -> Result<(), ApiError> {
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        if request.state != RequestState::Pending || request.expires_us <= now_us {
            return Ok(());
        }
        approval::set_reminded(connection, id, now_us).await?;
        if request.expires_us - request.created_us > DAY_US {
            let votes = approval::votes_of_request(connection, id).await?;
            self.mail_reminder(connection, &request, &votes, now_us).await?;
        }
        transaction.commit().await.map_err(failed)
    }
}
