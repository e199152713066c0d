//! Whose SQL a statement is written in.

use sqlparser::ast::Statement;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};

use super::guard::MAX_SQL_DEPTH;
use super::pg_catalog;

/// The catalog that tables are in, where nobody calls it otherwise.
pub(crate) const CATALOG: &str = "timberline";
/// The schema of the tables that need no schema before their name.
pub(crate) const SCHEMA: &str = "public";

/// Whose SQL a statement is written in, and so which tables and functions describe the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SqlDialect {
    /// That of the engine.
    #[default]
    Generic,
    /// That of PostgreSQL's clients, which ask `pg_catalog` and `information_schema` what there is.
    Postgres {
        /// What the client calls the database.
        database: String,
    },
}

impl SqlDialect {
    /// What the catalog of the tables is called.
    pub(crate) fn catalog(&self) -> &str {
        match self {
            Self::Generic => CATALOG,
            Self::Postgres { database } => database,
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// The statements of a text.
    pub(super) fn parse(&self, text: &str) -> Result<Vec<Statement>, ParserError> {
        match self {
            Self::Generic => Parser::new(&GenericDialect {})
                .with_recursion_limit(MAX_SQL_DEPTH)
                .try_with_sql(text)
                .and_then(|mut parser| parser.parse_statements()),
            Self::Postgres { .. } => pg_catalog::parse(text),
        }
    }
}
