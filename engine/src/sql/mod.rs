//! SQL: one read-only statement over what its caller may read, and one scalar expression over a row.
//!
//! `guard` decides which statements may run; what it lets through is planned from the very syntax tree that
//! it checked, so that nothing is read twice with two meanings. A session knows the tables of [`SqlSources`] and no
//! other, and no way to name a file or an address. Every door to SQL goes through
//! [`QueryContext::run_sql`](crate::query::QueryContext::run_sql).
//!
//! | module | what |
//! |---|---|
//! | `request` | a statement, what it can read, who asks |
//! | `guard` | which statements may run |
//! | `rewrite`, `precedence` | values in place of placeholders, operators where they are meant |
//! | `statement` | planning over the tables, and explanations |
//! | `functions` | functions and operators beside those of DataFusion |
//! | `system` | the tables of the schema `system` |
//! | `run` | a statement from its text to the stream of its answer |
//! | `means`, `pool`, `lanes` | memory, threads and places that statements run with |
//! | `template` | what their sessions are copies of |
//! | `running` | which statements run |
//! | `stop`, `pauses` | when a statement has to end, and that it can be ended |
//! | `encode` | answers as JSON, CSV, Arrow and Parquet |
//! | `plain` | rows in the few types that every client knows |
//! | `describe` | what a statement will answer, before it runs |
//! | `dialect` | whose SQL a statement is written in |
//! | `pg_catalog` | what PostgreSQL's clients ask to learn what there is |
//! | `session_statement` | statements that concern a client's session |
//! | `row_expression` | one scalar expression over one row |

mod describe;
mod dialect;
mod encode;
mod functions;
mod guard;
mod lanes;
mod means;
mod pauses;
mod pg_catalog;
mod plain;
mod pool;
mod precedence;
mod request;
mod rewrite;
mod row_expression;
mod run;
mod running;
mod session_statement;
mod statement;
mod stop;
mod system;
mod template;

pub use describe::SqlDescription;
use dialect::SCHEMA;
pub use dialect::SqlDialect;
pub use encode::{SqlFormat, SqlPiece, column_type};
pub use guard::{ReadOnlyStatement, parse, parse_as};
pub(crate) use lanes::Lane;
pub(crate) use means::SqlMeans;
pub use pg_catalog::{POSTGRES_SETTINGS, POSTGRES_VERSION};
pub use plain::{plain_rows, plain_schema};
pub use request::{SqlCaller, SqlColumn, SqlQuery, SqlSources, SqlType, SqlValue, SystemTable};
pub use row_expression::{RowExpression, RowValue};
pub use run::SqlAnswer;
pub(crate) use running::{RowCounter, Ticket, killed_error};
pub use running::{SqlState, SqlStatementInfo};
pub use session_statement::{SessionStatement, session_statements};
pub use system::SYSTEM_SCHEMA;

/// The name of the table of log records.
pub const LOGS_TABLE: &str = "logs";
/// The name of the table of the audit trail.
pub const ACTIVITY_TABLE: &str = "activity";
