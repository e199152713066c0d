//! What every request handler shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Engine;
use engine::clock::{Clock, SystemClock};
use engine::ingest::RecordLimits;
use tokio_util::sync::CancellationToken;

use crate::activity::trail::ActivityTrail;
use crate::ai::Explainer;
use crate::alerts::notice::public_url;
use crate::alerts::scheduler::AlertScheduler;
use crate::api::TailSubscribers;
use crate::api::ingest::IngestBudget;
use crate::api::logs::export::Exports;
use crate::approvals::{ApprovalJobs, Approvals};
use crate::auth::throttle::LoginThrottle;
use crate::config::ServerConfig;
use crate::deletions::Deletions;
use crate::delivery::{Delivery, DeliveryError};
use crate::error::ApiError;
use crate::meta::bootstrap::{Credentials, bootstrap};
use crate::meta::{Meta, MetaError};
use crate::rate_limits::{QuestionSlots, RateLimits};
use crate::retention::RetentionWatch;
use crate::rules::RulesWatch;
use crate::secret_key::{SecretKey, SecretKeyError};
use crate::sign_on::Provider;
use crate::telemetry::Telemetry;

/// The open data folder and everything that serves it; cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: ServerConfig,
    engine: Arc<Engine>,
    meta: Meta,
    clock: Arc<dyn Clock>,
    retention: RetentionWatch,
    rules: RulesWatch,
    ingest_budget: IngestBudget,
    tail_subscribers: TailSubscribers,
    exports: Exports,
    activity: ActivityTrail,
    deletions: Deletions,
    alerts: AlertScheduler,
    approvals: Approvals,
    approval_jobs: ApprovalJobs,
    delivery: Delivery,
    explainer: Explainer,
    login_throttle: LoginThrottle,
    sign_on: Option<Provider>,
    secret_key: Arc<SecretKey>,
    rate_limits: RateLimits,
    question_slots: QuestionSlots,
    telemetry: Telemetry,
    /// Cancelled when a stop begins.
    stopping: CancellationToken,
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path cannot be a data folder.
    #[error("cannot use {} as the data folder: {reason}", path.display())]
    DataDir {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The engine cannot open it.
    #[error("cannot open the data folder: {0}")]
    Engine(#[from] engine::Error),
    /// TLS, by which models and providers are asked, cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(reqwest::Error),
    /// There is no key to encrypt secrets with.
    #[error("cannot open the data folder: {0}")]
    SecretKey(#[from] SecretKeyError),
    /// Notifications cannot be sent.
    #[error("cannot send notifications: {0}")]
    Delivery(#[from] DeliveryError),
    /// The metadata database cannot be opened.
    #[error("cannot open the data folder: {0}")]
    Meta(#[from] MetaError),
}

impl AppState {
    /// Opens the data folder, makes it when it does not exist, and returns the first credentials if it was new.
    ///
    /// # Errors
    /// When the path is no folder, another process has it open, or what it holds cannot be read.
    pub async fn open(config: &ServerConfig) -> Result<(Self, Option<Credentials>), OpenError> {
        Self::open_with_clock(config, Arc::new(SystemClock)).await
    }

    /// [`AppState::open`] with a clock of the caller's choice.
    ///
    /// # Errors
    /// As [`AppState::open`].
    pub async fn open_with_clock(
        config: &ServerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Option<Credentials>), OpenError> {
        make_data_dir(config.data_dir())?;
        // The engine first: it locks the folder, so that no other process's metadata is changed.
        let engine = Engine::open(config.engine.clone(), Arc::clone(&clock)).await?;
        let meta = Meta::open_at(&config.metadata()).await?;
        let credentials = bootstrap(&meta, clock.now_us()).await?;
        let retention = RetentionWatch::start(meta.clone(), &engine).await?;
        let rules = RulesWatch::start(meta.clone()).await?;
        let activity =
            ActivityTrail::start(meta.clone(), &engine, Arc::clone(&clock), public_url(config)).await?;
        let ingest_budget = IngestBudget::new(config.ingest.max_in_flight_bytes);
        let exports =
            Exports::start(config.data_dir(), &config.export, meta.clone(), &engine, Arc::clone(&clock))
                .map_err(|error| OpenError::DataDir {
                    path: config.data_dir().to_owned(),
                    reason: format!("no folder for exports can be made in it: {error}"),
                })?;
        let exports_folder = exports.folder().to_owned();
        let deletions = Deletions::start(meta.clone(), &engine, Arc::clone(&clock), exports_folder);
        let alerts = AlertScheduler::start(meta.clone(), &engine, Arc::clone(&clock), public_url(config));
        let explainer = Explainer::new(&config.ai).map_err(OpenError::Tls)?;
        let sign_on = match config.sign_on.is_configured() {
            true => Some(Provider::new(&config.sign_on).map_err(OpenError::Tls)?),
            false => None,
        };
        let secret_key = Arc::new(SecretKey::open(config.secret_key.as_ref(), config.data_dir())?);
        let key = Arc::clone(&secret_key);
        let delivery = Delivery::start(meta.clone(), key, config, Arc::clone(&clock)).await?;
        let key = Arc::clone(&secret_key);
        let approvals = Approvals::new(meta.clone(), Arc::clone(&clock), key, config);
        let approval_jobs = ApprovalJobs::start(approvals.clone()).await?;
        let config = config.clone();
        let tail_subscribers = TailSubscribers::new(&config.tail);
        let rate_limits = RateLimits::new(&config.rate_limits);
        let question_slots = QuestionSlots::new(config.max_questions_per_organization);
        let stopping = CancellationToken::new();
        let shared = Shared {
            config,
            engine,
            meta,
            clock,
            retention,
            rules,
            ingest_budget,
            tail_subscribers,
            exports,
            activity,
            deletions,
            alerts,
            approvals,
            approval_jobs,
            delivery,
            explainer,
            login_throttle: LoginThrottle::default(),
            sign_on,
            secret_key,
            rate_limits,
            question_slots,
            telemetry: Telemetry::default(),
            stopping,
        };
        Ok((Self(Arc::new(shared)), credentials))
    }

    /// The settings.
    pub fn config(&self) -> &ServerConfig {
        &self.0.config
    }

    /// The rows.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// The people, projects and keys.
    pub fn meta(&self) -> &Meta {
        &self.0.meta
    }

    /// The time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    /// What one record may be.
    pub fn record_limits(&self) -> RecordLimits {
        RecordLimits { max_record_bytes: self.0.config.ingest.max_record_bytes, ..RecordLimits::default() }
    }

    /// What is done with records as they come in.
    pub(crate) fn rules(&self) -> &RulesWatch {
        &self.0.rules
    }

    /// Does at once what follows from a change of a project's settings or rules.
    ///
    /// # Errors
    /// When the metadata cannot be read; then it is done a second later.
    pub(crate) async fn follow_metadata(&self) -> Result<(), ApiError> {
        self.0.rules.look().await?;
        self.0.retention.look(&self.0.meta, &self.0.engine).await.map_err(ApiError::internal)
    }

    /// The memory of ingest requests under way.
    pub(crate) fn ingest_budget(&self) -> &IngestBudget {
        &self.0.ingest_budget
    }

    /// The audit trail.
    pub(crate) fn activity(&self) -> &ActivityTrail {
        &self.0.activity
    }

    /// The exports under way.
    pub(crate) fn exports(&self) -> &Exports {
        &self.0.exports
    }

    /// What is being removed.
    pub(crate) fn deletions(&self) -> &Deletions {
        &self.0.deletions
    }

    /// The sending of notifications.
    pub(crate) fn delivery(&self) -> &Delivery {
        &self.0.delivery
    }

    /// Removes what belongs to deleted projects and organizations, as happens in the background.
    ///
    /// # Errors
    /// When a database or the storage fails; what is left is removed later.
    pub async fn remove_deleted(&self) -> Result<(), ApiError> {
        self.0.deletions.look().await
    }

    /// The checks of alerts.
    pub(crate) fn alerts(&self) -> &AlertScheduler {
        &self.0.alerts
    }

    /// Checks every alert that is due, as happens in the background once a minute.
    ///
    /// # Errors
    /// When the metadata database does not answer; what is left is checked later.
    pub async fn check_alerts(&self) -> Result<(), MetaError> {
        self.0.alerts.check_due().await
    }

    /// What needs approval.
    pub(crate) fn approvals(&self) -> &Approvals {
        &self.0.approvals
    }

    /// Does what happens to change requests by themselves, as happens in the background every hour.
    ///
    /// # Errors
    /// When the metadata database does not answer; what is left is done later.
    pub async fn look_after_change_requests(&self) -> Result<(), ApiError> {
        self.0.approval_jobs.run().await
    }

    /// What keys and projects have had.
    pub(crate) fn rate_limits(&self) -> &RateLimits {
        &self.0.rate_limits
    }

    /// Questions under way.
    pub(crate) fn question_slots(&self) -> &QuestionSlots {
        &self.0.question_slots
    }

    /// What is counted.
    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// What explains logs.
    pub(crate) fn explainer(&self) -> &Explainer {
        &self.0.explainer
    }

    /// The provider that users sign on with, if there is one.
    pub(crate) fn sign_on(&self) -> Option<&Provider> {
        self.0.sign_on.as_ref()
    }

    /// What secrets of other services are stored encrypted with.
    pub(crate) fn secret_key(&self) -> &SecretKey {
        &self.0.secret_key
    }

    /// How often log-ins have failed.
    pub(crate) fn login_throttle(&self) -> &LoginThrottle {
        &self.0.login_throttle
    }

    /// Whether a stop has begun.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Cancelled when a stop begins: what would go on without end is to end then.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// Who follows rows as they come in.
    pub(crate) fn tail_subscribers(&self) -> &TailSubscribers {
        &self.0.tail_subscribers
    }

    /// Notes that a stop has begun.
    pub(crate) fn begin_stop(&self) {
        self.0.stopping.cancel();
    }

    /// Makes everything durable in its final place and releases the folder.
    ///
    /// # Errors
    /// When the engine cannot flush; what was acknowledged is in its write-ahead log all the same.
    pub async fn close(&self) -> Result<(), engine::Error> {
        self.0.alerts.stop().await;
        self.0.approval_jobs.stop().await;
        self.0.retention.stop();
        self.0.rules.stop();
        self.0.activity.stop().await;
        self.0.exports.stop().await;
        self.0.deletions.stop().await;
        // A receiver may take seconds, which the rows need not wait for.
        let ((), closed) = tokio::join!(self.0.delivery.stop(), self.engine().shutdown());
        self.meta().close().await;
        closed
    }
}

/// Makes the folder, and says in words what is wrong with a path that cannot be one.
pub(crate) fn make_data_dir(path: &Path) -> Result<(), OpenError> {
    let refuse = |reason: String| Err(OpenError::DataDir { path: path.to_owned(), reason });
    if path.exists() && !path.is_dir() {
        return refuse("it is not a folder".to_owned());
    }
    match std::fs::create_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) => refuse(error.to_string()),
    }
}
