//! Explanations of logs by a model behind an OpenAI-compatible endpoint, when one is configured.
//!
//! Reading order: [`prompt`] with [`scrub`] (what leaves the server), [`model`] (how it is asked), [`explanation`]
//! (what may come back).

mod explanation;
mod model;
mod prompt;
mod scrub;

use std::collections::HashMap;

use engine::schema::ProjectId;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub(crate) use self::explanation::Explanation;
use self::model::{Model, ModelError};
pub(crate) use self::prompt::Subject;
use crate::config::AiConfig;
use crate::error::ApiError;
use crate::rate_limits::{Limit, Windows};

/// How long an explanation is good for.
const CACHE_LIFETIME_US: i64 = 3_600 * 1_000_000;
/// Most explanations that are kept.
const MAX_CACHED: usize = 1_000;
/// Most questions that a model is asked at a time.
const MAX_ASKED: usize = 8;

/// How often one caller may ask.
const LIMITS: [Limit; 3] =
    [Limit { secs: 60, amount: 50 }, Limit { secs: 3_600, amount: 200 }, Limit { secs: 86_400, amount: 500 }];

/// The project, the uuid and the time of a log, as they were asked for.
pub(crate) type LogKey = (ProjectId, uuid::Uuid, i64);

/// Explains logs.
#[derive(Debug)]
pub(crate) struct Explainer {
    model: Option<Model>,
    limits: Windows<i64>,
    cache: Mutex<HashMap<LogKey, (i64, Explanation)>>,
    asked: Semaphore,
}

impl Explainer {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(config: &AiConfig) -> reqwest::Result<Self> {
        let (limits, cache) = (Windows::new(LIMITS.to_vec()), Mutex::default());
        Ok(Self { model: Model::new(config)?, limits, cache, asked: Semaphore::new(MAX_ASKED) })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 when the caller has made too many.
    pub(crate) fn throttle(&self, user_id: i64, now_us: i64) -> Result<(), ApiError> {
        self.limits.take(user_id, now_us).map_err(ApiError::throttled)
    }

    /// # Errors
    /// 503 when no model is configured.
    pub(crate) fn require_model(&self) -> Result<(), ApiError> {
        self.model.as_ref().map(|_| ()).ok_or_else(ApiError::ai_not_configured)
    }

    /// An explanation that was given within the last hour.
    pub(crate) fn cached(&self, key: &LogKey, now_us: i64) -> Option<Explanation> {
        let cache = self.cache.lock();
        let (made_us, explanation) = cache.get(key)?;
        (0..CACHE_LIFETIME_US).contains(&(now_us - made_us)).then(|| explanation.clone())
    }

    /// Asks the model, and keeps what it says.
    ///
    /// # Errors
    /// 500 when it gives no explanation, 503 when it is asked too much already.
    pub(crate) async fn explain(
        &self,
        key: LogKey,
        subject: Subject,
        now_us: i64,
    ) -> Result<Explanation, ApiError> {
        let model = self.model.as_ref().ok_or_else(ApiError::ai_not_configured)?;
        let Ok(_permit) = self.asked.try_acquire() else {
            return Err(ApiError::unavailable("the model is asked as much as it may be, try again shortly"));
        };
        // Looking for secrets in a mebibyte of text would hold up the other requests of this thread.
        let user =
            tokio::task::spawn_blocking(move || prompt::user(&subject)).await.map_err(ApiError::internal)?;
        let answer = model.ask(prompt::SYSTEM, &user, &explanation::schema()).await;
        let explanation = answer
            .and_then(|text| Explanation::parse(&text).map_err(ModelError::Malformed))
            .map_err(failed)?;
        self.keep(key, &explanation, now_us);
        Ok(explanation)
    }

    /// Makes room by what is too old, and then by what is oldest.
    fn keep(&self, key: LogKey, explanation: &Explanation, now_us: i64) {
        let mut cache = self.cache.lock();
        if cache.len() >= MAX_CACHED && !cache.contains_key(&key) {
            cache.retain(|_, (made_us, _)| (0..CACHE_LIFETIME_US).contains(&(now_us - *made_us)));
            if cache.len() >= MAX_CACHED
                && let Some(oldest) =
                    cache.iter().min_by_key(|(_, (made_us, _))| *made_us).map(|(key, _)| *key)
            {
                cache.remove(&oldest);
            }
        }
        cache.insert(key, (now_us, explanation.clone()));
    }
}

fn failed(error: ModelError) -> ApiError {
    ApiError::failed("the model gave no explanation, try again later").because(error)
}
