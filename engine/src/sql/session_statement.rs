//! Statements of a session: what clients send beside those that read.
//!
//! Clients of PostgreSQL begin transactions, set what concerns themselves and fetch from cursors. Nothing of that reaches
//! the engine: a session keeps it, and what it reads is checked like every other statement when it runs.

use sqlparser::ast::{CloseCursor, DeclareType, DiscardObject, Expr, FetchDirection, Set, Statement, Value};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::guard::{MAX_SQL_DEPTH, check_size};
use crate::error::{Error, Result};

/// Statements of one text.
const MAX_STATEMENTS: usize = 100;

/// A statement of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionStatement {
    /// Perhaps one that reads; it is checked when it runs.
    Query(String),
    /// Sets something of the session.
    Set {
        /// Its name in lower case.
        name: String,
        /// Its value as text.
        value: String,
    },
    /// Back to what it was.
    Reset,
    /// Asks for a setting of the session, or of PostgreSQL.
    Show(String),
    /// Begins a transaction, which here is nothing but a word.
    Begin,
    /// Ends it.
    Commit,
    /// Ends it too.
    Rollback,
    /// Opens a cursor on a statement that reads.
    Declare {
        /// Its name.
        name: String,
        /// What it reads.
        query: String,
    },
    /// Reads from a cursor.
    Fetch {
        /// Its name.
        name: String,
        /// So many rows; the rest when absent.
        max_rows: Option<u64>,
    },
    /// Closes a cursor, or all without a name.
    Close(Option<String>),
    /// Forgets a prepared statement, or all without a name.
    Deallocate(Option<String>),
    /// Forgets whatever the session holds.
    Discard,
}

/// Tells the statements of a text apart.
///
/// # Errors
/// `InvalidRequest` for too many statements, and for forms of the above that a session here does not have;
/// `LimitExceeded` for too long a text.
pub fn session_statements(text: &str) -> Result<Vec<SessionStatement>> {
    check_size(text)?;
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(MAX_SQL_DEPTH)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_statements());
    // What is wrong with it is told by who runs it.
    let Ok(statements) = parsed else { return Ok(vec![SessionStatement::Query(text.to_owned())]) };
    if statements.len() > MAX_STATEMENTS {
        return Err(Error::invalid_request(format!(
            "at most {MAX_STATEMENTS} statements may be sent at once"
        )));
    }
    let is_alone = statements.len() == 1;
    statements.iter().map(|statement| classify(statement, is_alone.then_some(text))).collect()
}

fn classify(statement: &Statement, whole: Option<&str>) -> Result<SessionStatement> {
    Ok(match statement {
        Statement::Set(set) => return setting(set),
        Statement::Reset(_) => SessionStatement::Reset,
        Statement::ShowVariable { variable } => {
            let words: Vec<String> = variable.iter().map(|word| word.value.to_ascii_lowercase()).collect();
            SessionStatement::Show(words.join(" "))
        }
        Statement::StartTransaction { .. } => SessionStatement::Begin,
        Statement::Commit { .. } => SessionStatement::Commit,
        Statement::Rollback { savepoint: None, .. } => SessionStatement::Rollback,
        Statement::Declare { stmts } => return declaration(stmts),
        Statement::Fetch { name, direction, .. } => {
            SessionStatement::Fetch { name: name.value.clone(), max_rows: fetched(direction)? }
        }
        Statement::Close { cursor: CloseCursor::All } => SessionStatement::Close(None),
        Statement::Close { cursor: CloseCursor::Specific { name } } => {
            SessionStatement::Close(Some(name.value.clone()))
        }
        Statement::Deallocate { name, .. } => {
            let is_all = name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all");
            SessionStatement::Deallocate((!is_all).then(|| name.value.clone()))
        }
        Statement::Discard { object_type: DiscardObject::PLANS } => SessionStatement::Deallocate(None),
        Statement::Discard { object_type: DiscardObject::ALL | DiscardObject::TEMP } => {
            SessionStatement::Discard
        }
        other => SessionStatement::Query(whole.map_or_else(|| other.to_string(), str::to_owned)),
    })
}

/// Settings that clients make for themselves. Anything else is the server's.
const SETTABLE: [&str; 16] = [
    "application_name",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_read_only",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "jit",
    "lock_timeout",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
    "transaction_timeout",
];

fn setting(set: &Set) -> Result<SessionStatement> {
    let (name, value) = match set {
        Set::SingleAssignment { variable, values, hivevar: false, .. } => {
            let value: Vec<String> = values.iter().map(text_of).collect();
            (variable.to_string().to_ascii_lowercase().replace('"', ""), value.join(", "))
        }
        Set::SetTimeZone { value, .. } => ("timezone".to_owned(), text_of(value)),
        Set::SetNames { charset_name, .. } => ("client_encoding".to_owned(), charset_name.to_string()),
        Set::SetTransaction { .. } => ("transaction".to_owned(), String::new()),
        other => return Err(Error::invalid_request(format!("SET {other} is not possible here"))),
    };
    match SETTABLE.contains(&name.as_str()) || name == "transaction" {
        true => Ok(SessionStatement::Set { name, value }),
        false => Err(Error::invalid_request(format!("the setting {name:?} cannot be changed in SQL"))),
    }
}

fn text_of(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string().trim_matches('"').to_owned(),
    }
}

fn declaration(declared: &[sqlparser::ast::Declare]) -> Result<SessionStatement> {
    let [cursor] = declared else {
        return Err(Error::invalid_request("one cursor at a time can be declared"));
    };
    let (Some(DeclareType::Cursor), Some(query), [name]) =
        (&cursor.declare_type, &cursor.for_query, cursor.names.as_slice())
    else {
        return Err(Error::invalid_request("only cursors for a query can be declared"));
    };
    if cursor.scroll == Some(true) {
        return Err(Error::invalid_request("a cursor reads forwards only"));
    }
    Ok(SessionStatement::Declare { name: name.value.clone(), query: query.to_string() })
}

fn fetched(direction: &FetchDirection) -> Result<Option<u64>> {
    let number = |value: &Value| match value {
        Value::Number(digits, _) => digits
            .parse()
            .map(Some)
            .map_err(|_| Error::invalid_request(format!("FETCH {digits}: no such number"))),
        other => Err(Error::invalid_request(format!("FETCH {other}: no number"))),
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => {
            number(&limit.value)
        }
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        _ => Err(Error::invalid_request("a cursor reads forwards only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> SessionStatement {
        let mut statements = session_statements(text).expect(text);
        assert_eq!(statements.len(), 1, "{text}");
        statements.remove(0)
    }

    #[test]
    fn what_concerns_the_session_is_told_from_what_reads() {
        let set = |name: &str, value: &str| SessionStatement::Set { name: name.into(), value: value.into() };
        for (text, expected) in [
            ("SELECT 1", SessionStatement::Query("SELECT 1".into())),
            ("DROP TABLE logs", SessionStatement::Query("DROP TABLE logs".into())),
            ("SET extra_float_digits = 3", set("extra_float_digits", "3")),
            ("set DateStyle='ISO'", set("datestyle", "ISO")),
            ("SET TIME ZONE 'UTC'", set("timezone", "UTC")),
            ("SET client_encoding TO 'UTF8'", set("client_encoding", "UTF8")),
            ("SHOW server_version", SessionStatement::Show("server_version".into())),
            (
                "SHOW TRANSACTION ISOLATION LEVEL",
                SessionStatement::Show("transaction isolation level".into()),
            ),
            ("BEGIN", SessionStatement::Begin),
            ("BEGIN READ ONLY", SessionStatement::Begin),
            ("COMMIT", SessionStatement::Commit),
            ("ROLLBACK", SessionStatement::Rollback),
            ("DISCARD ALL", SessionStatement::Discard),
            ("DEALLOCATE ALL", SessionStatement::Deallocate(None)),
            ("DEALLOCATE \"_pg3_0\"", SessionStatement::Deallocate(Some("_pg3_0".into()))),
            ("CLOSE ALL", SessionStatement::Close(None)),
            ("FETCH 100 FROM c", SessionStatement::Fetch { name: "c".into(), max_rows: Some(100) }),
            ("FETCH FORWARD 7 FROM c", SessionStatement::Fetch { name: "c".into(), max_rows: Some(7) }),
            ("FETCH ALL FROM c", SessionStatement::Fetch { name: "c".into(), max_rows: None }),
            (
                "DECLARE c CURSOR FOR SELECT 1",
                SessionStatement::Declare { name: "c".into(), query: "SELECT 1".into() },
            ),
        ] {
            assert_eq!(one(text), expected, "{text}");
        }
        assert_eq!(session_statements("SELECT 1; SELECT 2").unwrap().len(), 2);
        assert_eq!(session_statements(" ; ").unwrap(), []);
        assert_eq!(one("SELECT FROM WHERE"), SessionStatement::Query("SELECT FROM WHERE".into()));
    }

    #[test]
    fn what_concerns_the_server_is_refused() {
        for text in [
            "SET datafusion.execution.batch_size = 1",
            "SET ROLE admin",
            "SET SESSION AUTHORIZATION 'x'",
            "SET a = 1",
            "DECLARE c SCROLL CURSOR FOR SELECT 1",
            "FETCH PRIOR FROM c",
        ] {
            assert!(session_statements(text).is_err(), "{text}");
        }
        assert!(session_statements(&"SELECT 1;".repeat(200)).is_err());
    }
}
