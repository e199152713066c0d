//! The statements that run, and those that ended lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::request::SqlCaller;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::schema::TableId;

/// Statements that have ended and are still listed, of all tables together.
const MAX_ENDED: usize = 256;
/// Bytes of a statement's text that are kept of it.
const MAX_LISTED_TEXT: usize = 4096;

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlState {
    /// Waits for a place.
    Waiting,
    /// Is being answered.
    Running,
    /// Has been answered whole.
    Done,
    /// Has ended with an error.
    Failed,
    /// Was ended by somebody.
    Killed,
    /// Nobody wanted the rest of its answer.
    GivenUp,
}

impl SqlState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::GivenUp => "given_up",
        }
    }
}

/// A statement that runs or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlStatementInfo {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub caller: String,
    /// Its text, the first 4 KiB of it.
    pub text: String,
    /// How far it is.
    pub state: SqlState,
    /// When it was asked, microseconds.
    pub started_us: i64,
    /// How long it took, or has taken until now, microseconds.
    pub elapsed_us: i64,
    /// Rows of its answer so far.
    pub rows: u64,
    /// What it failed with.
    pub error: Option<String>,
}

/// All statements, of all tables.
#[derive(Debug)]
pub(crate) struct Statements {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    running: BTreeMap<Uuid, Arc<Running>>,
    /// The latest last.
    ended: VecDeque<(TableId, SqlStatementInfo)>,
}

#[derive(Debug)]
struct Running {
    table: TableId,
    caller: String,
    text: String,
    started_us: i64,
    state: Mutex<SqlState>,
    rows: AtomicU64,
    killed: CancellationToken,
}

impl Running {
    fn info(&self, id: Uuid, now_us: i64) -> SqlStatementInfo {
        SqlStatementInfo {
            id,
            caller: self.caller.clone(),
            text: self.text.clone(),
            state: *self.state.lock(),
            started_us: self.started_us,
            elapsed_us: now_us.saturating_sub(self.started_us).max(0),
            rows: self.rows.load(Ordering::Relaxed),
            error: None,
        }
    }
}

impl Statements {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, known: Mutex::default() }
    }

    /// Lists a statement until the ticket is dropped.
    pub(super) fn begin(self: &Arc<Self>, table: TableId, caller: &SqlCaller, text: &str) -> Ticket {
        let id = Uuid::now_v7();
        let running = Arc::new(Running {
            table,
            caller: caller.name.clone(),
            text: beginning(text).to_owned(),
            started_us: self.clock.now_us(),
            state: Mutex::new(SqlState::Waiting),
            rows: AtomicU64::new(0),
            killed: CancellationToken::new(),
        });
        self.known.lock().running.insert(id, Arc::clone(&running));
        Ticket { id, running, statements: Arc::clone(self), end: (SqlState::GivenUp, None) }
    }

    /// The statements about a table that a caller may see, the latest first.
    pub(crate) fn of(&self, table: TableId, caller: &SqlCaller) -> Vec<SqlStatementInfo> {
        let now_us = self.clock.now_us();
        let known = self.known.lock();
        let running =
            known.running.iter().rev().map(|(id, running)| (running.table, running.info(*id, now_us)));
        let ended = known.ended.iter().rev().cloned();
        let shown = |(of_table, info): (TableId, SqlStatementInfo)| {
            (of_table == table && (caller.sees_all || info.caller == caller.name)).then_some(info)
        };
        running.chain(ended).filter_map(shown).collect()
    }

    /// Ends a statement about a table that a caller may see. Whether there is one.
    pub(crate) fn kill(&self, table: TableId, caller: &SqlCaller, id: Uuid) -> bool {
        let known = self.known.lock();
        let running = known
            .running
            .get(&id)
            .filter(|running| running.table == table && (caller.sees_all || running.caller == caller.name));
        running.inspect(|running| running.killed.cancel()).is_some()
    }

    fn end(&self, id: Uuid, running: &Running, state: SqlState, error: Option<String>) {
        let info = SqlStatementInfo { state, error, ..running.info(id, self.clock.now_us()) };
        let mut known = self.known.lock();
        known.running.remove(&id);
        if known.ended.len() == MAX_ENDED {
            known.ended.pop_front();
        }
        known.ended.push_back((running.table, info));
    }
}

/// Keeps a statement in the list. What is dropped before it has ended was given up.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: Uuid,
    running: Arc<Running>,
    statements: Arc<Statements>,
    end: (SqlState, Option<String>),
}

impl Ticket {
    pub(super) fn id(&self) -> Uuid {
        self.id
    }

    /// It has a place.
    pub(super) fn start(&self) {
        *self.running.state.lock() = SqlState::Running;
    }

    pub(super) fn killed(&self) -> CancellationToken {
        self.running.killed.clone()
    }

    /// Where the rows of the answer are counted.
    pub(crate) fn counter(&self) -> RowCounter {
        RowCounter(Arc::clone(&self.running))
    }

    /// Its answer is whole.
    pub(crate) fn done(&mut self) {
        self.end = (SqlState::Done, None);
    }

    /// It has ended with an error.
    pub(crate) fn failed(&mut self, error: &Error) {
        let is_killed = self.running.killed.is_cancelled();
        let state = if is_killed { SqlState::Killed } else { SqlState::Failed };
        self.end = (state, Some(shown(error)));
    }
}

/// Counts the rows of an answer for the list.
pub(crate) struct RowCounter(Arc<Running>);

impl RowCounter {
    /// Counts more rows, and tells how many there are.
    pub(crate) fn add(&self, num_rows: usize) -> u64 {
        let num_rows = num_rows as u64;
        self.0.rows.fetch_add(num_rows, Ordering::Relaxed) + num_rows
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (state, error) = (self.end.0, self.end.1.take());
        self.statements.end(self.id, &self.running, state, error);
    }
}

/// What is said to whom a statement was ended under.
pub(crate) fn killed_error() -> Error {
    Error::new(ErrorKind::InvalidRequest, "the statement was ended by a request to end it")
}

/// Faults of the server say nothing of it.
fn shown(error: &Error) -> String {
    match error.kind() {
        ErrorKind::CorruptData | ErrorKind::Internal => "the server failed".to_owned(),
        _ => error.message().to_owned(),
    }
}

fn beginning(text: &str) -> &str {
    let mut end = text.len().min(MAX_LISTED_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::schema::ProjectId;

    const TABLE: TableId = TableId::logs(ProjectId(1));

    fn caller(name: &str, sees_all: bool) -> SqlCaller {
        SqlCaller { name: name.to_owned(), sees_all }
    }

    #[test]
    fn a_statement_is_listed_for_whom_it_concerns() {
        let statements = Arc::new(Statements::new(Arc::new(ManualClock::new(5))));
        let mut ticket = statements.begin(TABLE, &caller("a", false), "SELECT 1");
        let other = TableId::logs(ProjectId(2));
        assert_eq!(statements.of(TABLE, &caller("b", false)), []);
        assert_eq!(statements.of(other, &caller("a", true)), []);
        assert!(!statements.kill(TABLE, &caller("b", false), ticket.id()));
        assert!(!statements.kill(other, &caller("a", true), ticket.id()));
        assert_eq!(statements.of(TABLE, &caller("b", true))[0].state, SqlState::Waiting);
        ticket.start();
        assert_eq!(ticket.counter().add(3), 3);
        let listed = statements.of(TABLE, &caller("a", false));
        assert_eq!((listed[0].state, listed[0].rows, listed.len()), (SqlState::Running, 3, 1));
        assert!(statements.kill(TABLE, &caller("a", false), ticket.id()));
        assert!(ticket.killed().is_cancelled());
        ticket.failed(&killed_error());
        let id = ticket.id();
        drop(ticket);
        let listed = statements.of(TABLE, &caller("a", false));
        assert_eq!((listed[0].state, listed[0].id), (SqlState::Killed, id));
        assert!(!statements.kill(TABLE, &caller("a", false), id), "it has ended");
    }

    #[test]
    fn what_ended_is_listed_for_a_while() {
        let statements = Arc::new(Statements::new(Arc::new(ManualClock::new(5))));
        for _ended in 0..2 * MAX_ENDED {
            drop(statements.begin(TABLE, &caller("a", false), &"é".repeat(MAX_LISTED_TEXT)));
        }
        let listed = statements.of(TABLE, &caller("a", false));
        assert_eq!(listed.len(), MAX_ENDED);
        assert_eq!((listed[0].state, listed[0].text.len()), (SqlState::GivenUp, MAX_LISTED_TEXT));
    }
}
