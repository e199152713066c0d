//! Which statements may run.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, Query, Select, SetExpr, Statement, TableFactor, Value, Visit, Visitor,
    visit_expressions, visit_relations,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::dialect::SqlDialect;
use super::pg_catalog::{INFORMATION_SCHEMA, PG_CATALOG};
use super::precedence;
use super::rewrite::MAX_PARAMETERS;
use super::system::SYSTEM_SCHEMA;
use crate::error::{Error, ErrorKind, Result};

/// A statement longer than this is refused, bytes.
const MAX_SQL_BYTES: usize = 64 * 1024;
/// A statement with more operators is refused: trees are as deep as a row of them.
const MAX_OPERATORS: usize = 1_000;
/// A statement nested deeper than this is refused: parsing and planning recurse into it.
pub(super) const MAX_SQL_DEPTH: usize = 50;
/// The functions that may stand in the place of a table: they make rows from their arguments alone.
const TABLE_FUNCTIONS: [&str; 4] = ["generate_series", "range", "unnest", "pg_get_keywords"];

/// Schemas that tell what tables there are.
const DESCRIBING: [&str; 2] = [PG_CATALOG, INFORMATION_SCHEMA];
/// What DataFusion runs with is nothing that a client may see.
const HIDDEN: &str = "df_settings";

/// One statement that only reads.
#[derive(Clone, Debug)]
pub struct ReadOnlyStatement(Statement);

impl ReadOnlyStatement {
    /// The statement's syntax tree.
    pub(crate) fn into_inner(self) -> Statement {
        self.0
    }

    /// The same, to look at.
    pub(super) fn statement(&self) -> &Statement {
        &self.0
    }

    /// Whether it may ask what tables there are.
    pub fn describes_tables(&self) -> bool {
        describes_tables(&self.0) || reads_schema(&self.0, SYSTEM_SCHEMA)
    }

    /// How many parameters it takes: the highest number of a placeholder.
    pub fn num_parameters(&self) -> usize {
        num_placeholders(self)
    }

    /// Whether it may read a table of this name. One that it makes itself with `WITH` counts too.
    pub fn reads(&self, table: &str) -> bool {
        names_relation(&self.0, |names| names.last().is_some_and(|name| name.eq_ignore_ascii_case(table)))
    }
}

/// Parses one statement and checks that it only reads.
///
/// # Errors
/// `InvalidRequest` for text that does not parse, with the position, for several statements or none, and for
/// a statement that does anything but read; `LimitExceeded` for too long a text.
pub fn parse(text: &str) -> Result<ReadOnlyStatement> {
    parse_as(text, &SqlDialect::Generic)
}

/// The same in somebody's dialect.
///
/// # Errors
/// As [`parse`].
pub fn parse_as(text: &str, dialect: &SqlDialect) -> Result<ReadOnlyStatement> {
    check_size(text)?;
    let mut statements = dialect.parse(text).map_err(|error| syntax_error("statement", error))?;
    let (Some(mut statement), 0) = (statements.pop(), statements.len()) else {
        return Err(Error::invalid_request("exactly one statement is needed"));
    };
    if !dialect.is_postgres() {
        precedence::mend(&mut statement);
    }
    check_statement(&statement)?;
    if names_relation(&statement, |names| names.last().is_some_and(|name| name.eq_ignore_ascii_case(HIDDEN)))
    {
        return Err(Error::invalid_request(format!("there is no table {HIDDEN}")));
    }
    match statement.visit(&mut ReadOnlyVisitor) {
        ControlFlow::Continue(()) => Ok(ReadOnlyStatement(statement)),
        ControlFlow::Break(problem) => Err(Error::invalid_request(problem)),
    }
}

/// Refuses a text that is too long, or that could become too deep a tree: `1 + 1 + 1` is as deep as it has operators, and
/// whoever walks over such a tree, or only drops it, needs that much of a stack.
///
/// # Errors
/// `LimitExceeded`.
pub(super) fn check_size(text: &str) -> Result<()> {
    let refused = |message: String| Err(Error::new(ErrorKind::LimitExceeded, message));
    if text.len() > MAX_SQL_BYTES {
        return refused(format!(
            "the statement has {} bytes, at most {MAX_SQL_BYTES} are allowed",
            text.len()
        ));
    }
    // What is no SQL is told by the parser.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize() else { return Ok(()) };
    match tokens.iter().filter(|token| makes_deeper(token)).count() {
        num_operators if num_operators > MAX_OPERATORS => refused(format!(
            "the statement has {num_operators} operators, at most {MAX_OPERATORS} are allowed"
        )),
        _ => Ok(()),
    }
}

/// Whether a word or sign may put what stands before it one level down.
fn makes_deeper(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::MINUS
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::DIV
                | Keyword::NOT
                | Keyword::JOIN
        ),
        Token::Comma
        | Token::Period
        | Token::SemiColon
        | Token::LParen
        | Token::RParen
        | Token::Whitespace(_)
        | Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::EOF => false,
        // Signs, those of subscripts included, and kinds of texts that are rare.
        _ => true,
    }
}

/// The highest number of a placeholder; those that are no numbers are told when the statement runs.
pub(super) fn num_placeholders(statement: &ReadOnlyStatement) -> usize {
    let mut highest = 0;
    let _visited: ControlFlow<()> = visit_expressions(&statement.0, |expr| {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
            highest = highest.max(number.unwrap_or(0).min(MAX_PARAMETERS));
        }
        ControlFlow::Continue(())
    });
    highest
}

/// Whether it asks PostgreSQL's catalog what there is.
pub(super) fn describes_tables(statement: &Statement) -> bool {
    DESCRIBING.iter().any(|schema| reads_schema(statement, schema))
}

/// Whether it may read a table of a schema.
pub(super) fn reads_schema(statement: &Statement, schema: &str) -> bool {
    names_relation(statement, |names| {
        names
            .split_last()
            .is_some_and(|(_, before)| before.iter().any(|name| name.eq_ignore_ascii_case(schema)))
    })
}

fn names_relation(statement: &Statement, is_meant: impl Fn(&[&str]) -> bool) -> bool {
    let visited = visit_relations(statement, |relation| {
        let names: Vec<&str> =
            relation.0.iter().filter_map(|part| Some(part.as_ident()?.value.as_str())).collect();
        match is_meant(&names) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    visited.is_break()
}

/// What is wrong with a text; `what` says what it should have been.
pub(super) fn syntax_error(what: &str, error: ParserError) -> Error {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => format!("nested deeper than {MAX_SQL_DEPTH} levels"),
    };
    Error::invalid_request(format!("the {what} cannot be parsed: {message}"))
}

fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Query(_) => Ok(()),
        Statement::Explain { statement, .. } if matches!(**statement, Statement::Query(_)) => Ok(()),
        _ => Err(Error::invalid_request("only SELECT, WITH and EXPLAIN of them may run")),
    }
}

/// Finds what a query may not contain, however deep.
struct ReadOnlyVisitor;

impl Visitor for ReadOnlyVisitor {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        check_set_expr(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<String> {
        match select.into {
            Some(_) => ControlFlow::Break("SELECT INTO writes, and only reading is allowed".to_owned()),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                check_table_function(name)
            }
            TableFactor::TableFunction { .. } => {
                ControlFlow::Break("TABLE(...) is not a table that can be read".to_owned())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn check_set_expr(body: &SetExpr) -> ControlFlow<String> {
    match body {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            ControlFlow::Break("only reading is allowed".to_owned())
        }
        SetExpr::SetOperation { left, right, .. } => {
            check_set_expr(left)?;
            check_set_expr(right)
        }
        SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => {
            ControlFlow::Continue(())
        }
    }
}

fn check_table_function(name: &ObjectName) -> ControlFlow<String> {
    let is_known = |name: &Ident| TABLE_FUNCTIONS.contains(&name.value.to_ascii_lowercase().as_str());
    match name.0.as_slice() {
        [part] if part.as_ident().is_some_and(is_known) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(format!("there is no table function {name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, part_of_message: &str) {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{text}");
        assert!(error.message().contains(part_of_message), "{text}: {error}");
    }

    #[test]
    fn queries_may_run() {
        for text in [
            "SELECT 1",
            "select * from logs where body like '%x%';",
            "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE SELECT count(*) FROM logs",
            "VALUES (1), (2)",
            "SELECT * FROM generate_series(1, 3)",
            "SELECT * FROM unnest([1, 2])",
            "SELECT attributes['http.route'] FROM logs -- a comment",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn the_tables_that_a_statement_reads_are_known() {
        let reads = |text: &str| {
            let statement = parse(text).unwrap();
            (statement.reads("activity"), reads_schema(&statement.into_inner(), "system"))
        };
        assert_eq!(reads("SELECT * FROM logs WHERE activity = 'x'"), (false, false));
        assert_eq!(reads("SELECT * FROM (SELECT 1 FROM Activity) a"), (true, false));
        assert_eq!(reads("SELECT (SELECT 1 FROM public.\"activity\") FROM logs"), (true, false));
        assert_eq!(reads("EXPLAIN WITH a AS (SELECT * FROM activity) SELECT * FROM a"), (true, false));
        assert_eq!(reads("SELECT * FROM logs, System.tables"), (false, true));
        assert_eq!(reads("SELECT 1 WHERE EXISTS (SELECT 1 FROM datafusion.system.queries)"), (false, true));
        assert_eq!(reads("SELECT system.x FROM logs system"), (false, false));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "CREATE TABLE a (b INT)",
            "CREATE EXTERNAL TABLE a STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE VIEW v AS SELECT 1",
            "DROP TABLE logs",
            "INSERT INTO logs VALUES (1)",
            "UPDATE logs SET body = ''",
            "DELETE FROM logs",
            "TRUNCATE TABLE logs",
            "COPY logs TO 'x.csv'",
            "COPY (SELECT 1) TO 'x.csv'",
            "SET a = 1",
            "SHOW TABLES",
            "USE a",
            "PREPARE a AS SELECT 1",
            "EXECUTE a",
            "BEGIN",
            "KILL 1",
            "LOAD DATA INPATH 'a' INTO TABLE b",
            "EXPLAIN INSERT INTO logs VALUES (1)",
            "EXPLAIN DROP TABLE logs",
            "DESCRIBE logs",
        ] {
            refused(text, "");
        }
    }

    #[test]
    fn writing_inside_a_query_is_refused() {
        refused("SELECT 1 INTO a", "INTO");
        refused("SELECT * FROM (SELECT 1 INTO a) b", "INTO");
        refused("SELECT 1 UNION SELECT 2 INTO a", "INTO");
        refused("WITH a AS (SELECT 1 INTO b) SELECT * FROM a", "INTO");
        refused("WITH a AS (INSERT INTO logs VALUES (1) RETURNING 1) SELECT * FROM a", "reading");
        refused("WITH a AS (DELETE FROM logs RETURNING 1) SELECT * FROM a", "reading");
    }

    #[test]
    fn functions_that_read_files_are_refused() {
        for text in [
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM read_parquet('s3://bucket/x')",
            "SELECT * FROM parquet_metadata('x')",
            "SELECT * FROM TABLE(f('x'))",
            "SELECT * FROM a.generate_series(1, 2)",
            "SELECT (SELECT max(a) FROM glob('/*'))",
            "SELECT * FROM logs, LATERAL read_text('x')",
        ] {
            refused(text, "table");
        }
    }

    #[test]
    fn exactly_one_statement_is_needed() {
        for text in ["", ";", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE logs"] {
            refused(text, "exactly one statement");
        }
    }

    #[test]
    fn syntax_errors_give_the_position() {
        refused("SELECT * FROM logs WHERE )", "Column: 26");
        refused("SELECT\n  'open", "Line: 2");
        let deep = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
        refused(&deep, "deeper");
    }

    #[test]
    fn rows_of_operators_are_refused_before_they_are_trees() {
        for link in ["1+", "1::int::", "x is null is ", "x or ", "select 1 union all "] {
            let text = format!("SELECT {}", link.repeat(MAX_SQL_BYTES / link.len() - 10));
            assert!(parse(&text).is_err(), "{link}");
        }
        let error = parse(&format!("SELECT 1{}", "+1".repeat(MAX_OPERATORS + 1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(parse(&format!("SELECT 1{}", "+1".repeat(MAX_OPERATORS))).is_ok());
        let list = vec!["'a'"; 10_000].join(", ");
        assert!(parse(&format!("SELECT 1 WHERE 'a' IN ({list})")).is_ok());
    }

    #[test]
    fn long_statements_are_refused() {
        let error = parse(&format!("SELECT '{}'", "x".repeat(MAX_SQL_BYTES))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    }
}
