//! The engines that Timberline is compared with.
//!
//! | module | what |
//! |---|---|
//! | `python` | ClickHouse and DuckDB, each in a Python process |
//! | `victorialogs` | a VictoriaLogs server that runs somewhere, over HTTP |

mod python;
mod victorialogs;

use std::time::Duration;

use anyhow::Result;

pub use self::python::default_python;
pub(super) use self::python::{Dialect, PythonPeer};
pub(super) use self::victorialogs::VictoriaLogs;
pub use self::victorialogs::VictoriaLogsUrl;
use super::answer::{Answer, Form};
use super::questions::Asked;

/// An engine with its rows.
#[derive(Debug)]
pub(super) enum Peer {
    Python(PythonPeer),
    VictoriaLogs(VictoriaLogs),
}

/// What the report tells of an engine.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Its short name.
    pub(super) name: &'static str,
    /// What it calls itself.
    pub(super) version: String,
    /// What loading took.
    pub(super) load: Duration,
    /// Bytes that the rows take, if it is known.
    pub(super) num_bytes: Option<u64>,
    /// The most memory it has had resident, if it is known.
    pub(super) peak_memory_bytes: Option<u64>,
}

/// What came of asking an engine.
#[derive(Clone, Debug)]
pub(super) struct Replied {
    pub(super) elapsed: Duration,
    pub(super) answer: Answer,
    /// What was asked, in its language.
    pub(super) question: String,
}

impl Peer {
    /// Asks. There is no answer to a question that the engine cannot answer exactly.
    ///
    /// # Errors
    /// When the engine refuses the question.
    pub(super) async fn ask(&mut self, asked: &Asked<'_>) -> Result<Option<Replied>> {
        match self {
            Self::Python(peer) => peer.ask(asked).map(Some),
            Self::VictoriaLogs(peer) => peer.ask(asked).await,
        }
    }

    /// An answer of this engine or of Timberline, as the two are compared.
    pub(super) fn compared(&self, answer: Answer, asked: &Asked<'_>, form: Form) -> Answer {
        let answer = answer.compared(form);
        match (self, asked.max_values()) {
            // Others of one number come by their bytes, but it puts `a9` before `a10`.
            (Self::VictoriaLogs(_), Some(max_values)) => answer.with_any_ties(max_values),
            _ => answer,
        }
    }

    /// What the report tells of it.
    pub(super) async fn facts(&self) -> Facts {
        match self {
            Self::Python(peer) => peer.facts(),
            Self::VictoriaLogs(peer) => peer.facts().await,
        }
    }
}
