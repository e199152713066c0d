//! What is asked in SQL, what of, and on whose behalf.

use std::time::Duration;

use super::dialect::SqlDialect;
use crate::catalog::Snapshot;
use crate::query::ActivityFilter;

/// One statement with what stands for its placeholders, and how much its answer may be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlQuery {
    /// The statement.
    pub text: String,
    /// The values of `$1`, `$2` and so on. They are values and never text of the statement.
    pub parameters: Vec<SqlValue>,
    /// An answer of more rows ends with an error; any number when absent.
    pub max_rows: Option<u64>,
    /// How long it may run, when that is shorter than the settings say.
    pub max_time: Option<Duration>,
    /// Whose SQL it is.
    pub dialect: SqlDialect,
}

impl SqlQuery {
    /// A statement without parameters and limits of its own.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// A value of a statement's parameter, or of a row of a table that the caller brings.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// Text.
    Text(String),
    /// A time, microseconds.
    Timestamp(i64),
}

/// The type of a column of a table that the caller brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// Another number.
    Number,
    /// Text.
    Text,
    /// A time.
    Timestamp,
}

/// A column of a table that the caller brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: &'static str,
    /// What its values are; each may be null.
    pub kind: SqlType,
    /// What they mean.
    pub description: &'static str,
}

/// A small table that the caller brings, to be read as `system.<name>`.
#[derive(Clone, Debug, PartialEq)]
pub struct SystemTable {
    /// Its name, without `system.`.
    pub name: &'static str,
    /// What it is about.
    pub description: &'static str,
    /// Its columns.
    pub columns: &'static [SqlColumn],
    /// A value for each column of each row.
    pub rows: Vec<Vec<SqlValue>>,
}

/// What a statement can read, and who asks. There is nothing else: no statement names what is not here.
#[derive(Clone, Debug)]
pub struct SqlSources {
    /// The table `logs`.
    pub logs: Snapshot,
    /// The table `activity`, and which of its entries there are; none without it.
    pub activity: Option<(Snapshot, ActivityFilter)>,
    /// More tables of `system`.
    pub system: Vec<SystemTable>,
    /// Who asks.
    pub caller: SqlCaller,
}

impl SqlSources {
    /// The logs of a snapshot, asked by nobody in particular.
    pub fn logs(snapshot: &Snapshot) -> Self {
        Self { logs: snapshot.clone(), activity: None, system: Vec::new(), caller: SqlCaller::default() }
    }
}

/// Who asks, for the list of statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlCaller {
    /// A name, the same for all statements of one caller.
    pub name: String,
    /// Whether statements of others about the same table can be seen too.
    pub sees_all: bool,
}
