//! A condition that a caller writes as SQL: comparisons of an entry's members, nothing else.

use std::fmt;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::prelude::{Expr, SessionContext, ident};
use sqlparser::ast::{
    BinaryOperator, Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, UnaryOperator,
    Value as AstValue,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{activity, activity_schema, columns};

/// Longest text of an expression, bytes.
const MAX_BYTES: usize = 16 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 50;

/// What callers name, and the column that it is.
const NAMES: [(&str, &str); 12] = [
    ("created_at", columns::TIMESTAMP),
    ("team_id", activity::PROJECT_ID),
    ("project_id", activity::PROJECT_ID),
    ("user_id", activity::USER_ID),
    ("was_impersonated", activity::WAS_IMPERSONATED),
    ("is_system", activity::IS_SYSTEM),
    ("client", activity::CLIENT),
    ("ip_address", activity::IP_ADDRESS),
    ("scope", activity::SCOPE),
    ("activity", activity::ACTIVITY),
    ("item_id", activity::ITEM_ID),
    ("detail", activity::DETAIL),
];

/// Functions of text.
const FUNCTIONS: [&str; 4] = ["lower", "upper", "length", "trim"];

/// A checked condition over an entry.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivityExpression {
    text: String,
    condition: Expr,
}

impl fmt::Debug for ActivityExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActivityExpression").field(&self.text).finish()
    }
}

impl ActivityExpression {
    /// Reads a boolean SQL expression over `created_at`, `team_id`, `project_id`, `user_id`, `was_impersonated`,
    /// `is_system`, `client`, `ip_address`, `scope`, `activity`, `item_id` and `detail`, of comparisons, `AND`, `OR`,
    /// `NOT`, `IN`, `BETWEEN`, `LIKE`, `ILIKE`, `IS NULL` and the functions `lower`, `upper`, `length`, `trim`.
    ///
    /// # Errors
    /// `InvalidRequest` with the line and column of what is not one, `LimitExceeded` when it is too long.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            let message = format!("an expression of {} bytes, at most {MAX_BYTES}", text.len());
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let ast = parse(text)?;
        check(&ast)?;
        let condition = plan(ast)?;
        Ok(Self { text: text.to_owned(), condition })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The condition over the stored columns; never null.
    pub(super) fn condition(&self) -> Expr {
        self.condition.clone().is_true()
    }
}

fn parse(text: &str) -> Result<Ast> {
    let mut parser = Parser::new(&GenericDialect {})
        .with_recursion_limit(MAX_DEPTH)
        .try_with_sql(text)
        .map_err(|error| syntax_error(text, error))?;
    let ast = parser.parse_expr().map_err(|error| syntax_error(text, error))?;
    let next = parser.next_token();
    match next.token {
        Token::EOF => Ok(ast),
        other => Err(Error::invalid_request(format!(
            "unexpected {other} behind the expression at Line: {}, Column: {}",
            next.span.start.line, next.span.start.column
        ))),
    }
}

/// What ends too early ends at the end of the text.
fn syntax_error(text: &str, error: ParserError) -> Error {
    let mut message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => format!("nested deeper than {MAX_DEPTH} levels"),
    };
    if !message.contains("Line:") {
        let (line, last) = text.split('\n').enumerate().last().unwrap_or((0, text));
        message.push_str(&format!(" at Line: {}, Column: {}", line + 1, last.chars().count() + 1));
    }
    Error::invalid_request(format!("the expression cannot be parsed: {message}"))
}

/// Lets through what is known to only compare.
fn check(ast: &Ast) -> Result<()> {
    use BinaryOperator as Op;
    match ast {
        Ast::Identifier(name) => check_name(name),
        Ast::Value(value) => match &value.value {
            AstValue::Number(..)
            | AstValue::SingleQuotedString(_)
            | AstValue::Boolean(_)
            | AstValue::Null => Ok(()),
            other => refuse(ast, &format!("the literal {other}")),
        },
        Ast::Nested(inner) | Ast::IsNull(inner) | Ast::IsNotNull(inner) => check(inner),
        Ast::IsTrue(inner) | Ast::IsNotTrue(inner) | Ast::IsFalse(inner) | Ast::IsNotFalse(inner) => {
            check(inner)
        }
        Ast::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus, expr } => check(expr),
        Ast::BinaryOp { left, op, right } => match op {
            Op::And | Op::Or | Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
                check(left)?;
                check(right)
            }
            other => refuse(ast, &format!("the operator {other}")),
        },
        Ast::InList { expr, list, .. } => {
            check(expr)?;
            list.iter().try_for_each(check)
        }
        Ast::Between { expr, low, high, .. } => {
            [expr, low, high].into_iter().try_for_each(|part| check(part))
        }
        Ast::Like { any: false, expr, pattern, .. } | Ast::ILike { any: false, expr, pattern, .. } => {
            check(expr)?;
            check(pattern)
        }
        Ast::Function(function) => check_function(ast, function),
        Ast::Trim { expr, trim_what: None, .. } => check(expr),
        _ => refuse(ast, "this kind of expression"),
    }
}

fn check_function(ast: &Ast, function: &sqlparser::ast::Function) -> Result<()> {
    let name = match function.name.0.as_slice() {
        [part] => part.as_ident().map(|name| name.value.to_ascii_lowercase()),
        _ => None,
    };
    let is_known = name.is_some_and(|name| FUNCTIONS.contains(&name.as_str()));
    let FunctionArguments::List(arguments) = &function.args else { return refuse(ast, "this function") };
    let is_plain = function.over.is_none()
        && function.filter.is_none()
        && function.within_group.is_empty()
        && arguments.clauses.is_empty()
        && arguments.duplicate_treatment.is_none();
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = arguments.args.as_slice() else {
        return refuse(ast, "this function");
    };
    if !is_known || !is_plain {
        return refuse(ast, &format!("the function {}", function.name));
    }
    check(argument)
}

fn check_name(name: &Ident) -> Result<()> {
    if NAMES.iter().any(|(known, _)| *known == name.value.to_ascii_lowercase()) {
        return Ok(());
    }
    let start = name.span.start;
    Err(Error::invalid_request(format!(
        "an entry has no member {:?} at Line: {}, Column: {}",
        name.value, start.line, start.column
    )))
}

fn refuse(ast: &Ast, what: &str) -> Result<()> {
    use sqlparser::ast::Spanned;
    let start = ast.span().start;
    Err(Error::invalid_request(format!(
        "{what} is not allowed at Line: {}, Column: {}",
        start.line, start.column
    )))
}

/// Turns a checked expression into a condition over the stored columns.
fn plan(ast: Ast) -> Result<Expr> {
    let invalid = |error: datafusion::error::DataFusionError| {
        let message = format!("the expression means nothing: {}", error.strip_backtrace());
        Error::invalid_request(message)
    };
    let stored = activity_schema();
    let fields = NAMES.iter().filter_map(|(name, column)| {
        // Text in dictionaries compares like any other text.
        let field = stored.field_with_name(column).ok()?;
        let data_type = match field.data_type() {
            DataType::Dictionary(..) => DataType::Utf8,
            other => other.clone(),
        };
        Some(Field::new(*name, data_type, true))
    });
    let schema = DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>())).map_err(invalid)?;
    let planned = SessionContext::new()
        .state()
        .create_logical_expr_from_sql_expr(with_alias(ast), &schema)
        .map_err(invalid)?;
    match datafusion::logical_expr::ExprSchemable::get_type(&planned, &schema).map_err(invalid)? {
        DataType::Boolean | DataType::Null => {}
        other => {
            return Err(Error::invalid_request(format!("the expression is a {other} and not a condition")));
        }
    }
    let to_stored = |expr: Expr| match &expr {
        Expr::Column(column) if column.relation.is_none() => {
            let found = NAMES.iter().find(|(name, _)| *name == column.name);
            Ok(found.map_or_else(
                || Transformed::no(expr.clone()),
                |(_, stored)| Transformed::yes(ident(*stored)),
            ))
        }
        _ => Ok(Transformed::no(expr)),
    };
    planned.transform_up(to_stored).data().map_err(invalid)
}

fn with_alias(expr: Ast) -> sqlparser::ast::ExprWithAlias {
    sqlparser::ast::ExprWithAlias { expr, alias: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_over_members_are_allowed() {
        for text in [
            "scope = 'Role'",
            "NOT (scope = 'Role' OR activity IN ('created', 'deleted')) AND is_system",
            "created_at >= '2026-01-01T00:00:00Z' AND created_at BETWEEN '2026-01-01' AND '2026-02-01'",
            "detail ILIKE '%x%' AND lower(client) NOT LIKE 'web%'",
            "user_id IS NOT NULL AND user_id > -3 AND length(item_id) < 9",
            "Scope = 'Role' AND true",
        ] {
            assert!(ActivityExpression::parse(text).is_ok(), "{text}: {:?}", ActivityExpression::parse(text));
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_position() {
        for (text, part) in [
            ("scope = ", "Line"),
            ("", "EOF"),
            ("scope = 'a' scope", "Column: 13"),
            ("scope = 'a'; drop table x", "Column: 12"),
            ("a = 1", "\"a\" at Line: 1, Column: 1"),
            ("hash = 'x'", "\"hash\""),
            ("logs.body = 'x'", "not allowed at Line: 1"),
            ("scope = (SELECT 1)", "not allowed"),
            ("EXISTS (SELECT 1)", "not allowed"),
            ("scope IN (SELECT 1)", "not allowed"),
            ("random() > 0.5", "not allowed"),
            ("sleep(1) = 1", "the function sleep is not allowed"),
            ("user_id + 1 = 2", "the operator + is not allowed"),
            ("scope || 'a' = 'b'", "not allowed"),
            ("CAST(scope AS INT) = 1", "not allowed"),
            ("CASE WHEN true THEN true END", "not allowed"),
            ("scope", "not a condition"),
            ("user_id", "not a condition"),
            ("scope = $1", "not allowed"),
        ] {
            let error = ActivityExpression::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
        let deep = format!("{}true{}", "(".repeat(500), ")".repeat(500));
        assert!(ActivityExpression::parse(&deep).unwrap_err().message().contains("deeper"));
        assert!(ActivityExpression::parse(&format!("scope = '{}'", "x".repeat(MAX_BYTES))).is_err());
    }
}
