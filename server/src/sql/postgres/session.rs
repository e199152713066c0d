//! What a connection keeps.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use engine::sql::{SqlAnswer, SqlDescription, SqlQuery, SqlValue};
use parking_lot::Mutex;
use pgwire::error::{PgWireError, PgWireResult};
use tokio_util::sync::CancellationToken;

use super::cancel::Cancels;
use super::cursor::Cursor;
use super::errors;
use crate::error::ApiError;
use crate::sql::Asker;
use crate::state::AppState;

/// Cursors of a connection that are open at a time: each holds a place for statements.
const MAX_CURSORS: usize = 4;
/// Prepared statements of a connection, and as many portals.
const MAX_KEPT: usize = 256;
/// Bytes of their texts and values, together.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;
/// Longest value of a setting, bytes.
const MAX_SETTING: usize = 1024;

/// A connection of one key about one project.
pub(super) struct Session {
    state: AppState,
    cancels: Arc<Cancels>,
    login: Mutex<Option<Login>>,
    secret: Mutex<Option<(i32, Vec<u8>)>>,
    settings: Mutex<BTreeMap<String, String>>,
    cursors: Mutex<HashMap<String, Arc<Cursor>>>,
    /// What is kept, and how many bytes of it.
    kept: Mutex<BTreeMap<(Kept, String), usize>>,
}

/// A key, and the project that it was shown for.
#[derive(Clone)]
struct Login {
    key: String,
    project: String,
}

/// What a client has the server keep by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    Statement,
    Portal,
}

impl Session {
    pub(super) fn new(state: AppState, cancels: Arc<Cancels>) -> Self {
        Self {
            state,
            cancels,
            login: Mutex::default(),
            secret: Mutex::default(),
            settings: Mutex::default(),
            cursors: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// Binds the connection to a key and a project.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(super) async fn log_in(&self, key: &str, project: Option<&str>) -> Result<(), ApiError> {
        let asker = Asker::of_key(&self.state, key, project).await?;
        let project = asker.project.id.0.to_string();
        *self.login.lock() = Some(Login { key: key.to_owned(), project });
        Ok(())
    }

    /// By which the client can end what runs here.
    pub(super) fn has_secret(&self, secret: (i32, Vec<u8>)) {
        *self.secret.lock() = Some(secret);
    }

    /// Looks at the key again: it may have been taken away meanwhile.
    async fn asker(&self) -> PgWireResult<Asker> {
        let login = self.login.lock().clone();
        let Some(login) = login else { return Err(errors::fatal(ApiError::not_authenticated())) };
        Asker::of_key(&self.state, &login.key, Some(&login.project)).await.map_err(errors::of_statement)
    }

    fn query(&self, asker: &Asker, text: String, parameters: Vec<SqlValue>) -> SqlQuery {
        let dialect = asker.dialect_of_postgres();
        SqlQuery { text, parameters, dialect, max_time: self.statement_timeout(), ..SqlQuery::default() }
    }

    /// Starts a statement, and what ends it when its client asks for that.
    pub(super) async fn ask(
        &self,
        text: String,
        parameters: Vec<SqlValue>,
    ) -> PgWireResult<(SqlAnswer, CancellationToken)> {
        let cancelled = CancellationToken::new();
        if let Some(secret) = &*self.secret.lock() {
            self.cancels.set(secret, cancelled.clone());
        }
        let asker = self.asker().await?;
        let query = self.query(&asker, text, parameters);
        tokio::select! {
            answer = asker.ask(&self.state, query) => {
                answer.map(|answer| (answer, cancelled.clone())).map_err(errors::of_statement)
            }
            () = cancelled.cancelled() => Err(PgWireError::QueryCanceled),
        }
    }

    /// What a statement takes and would answer.
    pub(super) async fn describe(
        &self,
        text: String,
        parameters: Vec<SqlValue>,
    ) -> PgWireResult<SqlDescription> {
        let asker = self.asker().await?;
        let query = self.query(&asker, text, parameters);
        asker.describe(&self.state, query).await.map_err(errors::of_statement)
    }

    /// Sets something of the session.
    pub(super) fn set(&self, name: &str, value: &str) {
        let kept: String = value.chars().take(MAX_SETTING).collect();
        self.settings.lock().insert(name.to_owned(), kept);
    }

    /// What was set.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        self.settings.lock().get(name).cloned()
    }

    /// Everything as it was in the beginning.
    pub(super) fn reset(&self) {
        self.settings.lock().clear();
    }

    /// How long a statement may run, as the client has set it; in milliseconds without a unit.
    fn statement_timeout(&self) -> Option<Duration> {
        duration_of(&self.setting("statement_timeout")?)
    }

    pub(super) fn cursor(&self, name: &str) -> PgWireResult<Arc<Cursor>> {
        let cursor = self.cursors.lock().get(name).cloned();
        cursor.ok_or_else(|| errors::because("34000", format!("cursor {name:?} does not exist")))
    }

    /// # Errors
    /// When there are as many as may be.
    pub(super) fn open_cursor(&self, name: String, cursor: Cursor) -> PgWireResult<()> {
        let mut cursors = self.cursors.lock();
        if cursors.contains_key(&name) {
            return Err(errors::because("42P03", format!("cursor {name:?} already exists")));
        }
        if cursors.len() >= MAX_CURSORS {
            return Err(errors::because("53400", format!("at most {MAX_CURSORS} cursors may be open")));
        }
        cursors.insert(name, Arc::new(cursor));
        Ok(())
    }

    /// One, or all without a name.
    pub(super) fn close_cursors(&self, name: Option<&str>) {
        match name {
            Some(name) => drop(self.cursors.lock().remove(name)),
            None => self.cursors.lock().clear(),
        }
    }

    /// Counts what the client has the server keep.
    ///
    /// # Errors
    /// When it is as much as may be.
    pub(super) fn keep(&self, kind: Kept, name: &str, num_bytes: usize) -> PgWireResult<()> {
        let mut kept = self.kept.lock();
        kept.remove(&(kind, name.to_owned()));
        let others = kept.keys().filter(|(of, _)| *of == kind).count();
        if others >= MAX_KEPT || kept.values().sum::<usize>() + num_bytes > MAX_KEPT_BYTES {
            let message = format!(
                "a connection keeps at most {MAX_KEPT} prepared statements and portals, of {MAX_KEPT_BYTES} bytes"
            );
            return Err(errors::because("53400", message));
        }
        kept.insert((kind, name.to_owned()), num_bytes);
        Ok(())
    }

    pub(super) fn forget(&self, kind: Kept, name: &str) {
        self.kept.lock().remove(&(kind, name.to_owned()));
    }

    /// The names of all prepared statements.
    pub(super) fn prepared(&self) -> Vec<String> {
        let kept = self.kept.lock();
        kept.keys().filter(|(kind, _)| *kind == Kept::Statement).map(|(_, name)| name.clone()).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(secret) = &*self.secret.lock() {
            self.cancels.forget(secret);
        }
    }
}

/// A time as PostgreSQL writes it; none for 0 and for what is no time.
fn duration_of(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let unit_ms = match text[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    (number > 0).then(|| Duration::from_millis(number.saturating_mul(unit_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, expected_ms) in
            [("0", None), ("250", Some(250)), ("2s", Some(2_000)), ("1 min", Some(60_000)), ("x", None)]
        {
            assert_eq!(duration_of(text), expected_ms.map(Duration::from_millis), "{text}");
        }
    }
}
