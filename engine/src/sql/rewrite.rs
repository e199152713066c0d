//! What a checked statement is turned into before it is planned.
//!
//! Values take the place of placeholders in the syntax tree, where a value cannot become anything else. A list of ids
//! becomes comparisons, because those are what texts of ids are understood in.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator, Value, visit_expressions_mut};

use super::request::SqlValue;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{activity, columns};

/// Most parameters of a statement.
pub(super) const MAX_PARAMETERS: usize = 1000;
/// Columns of ids, which are bytes.
const IDS: [&str; 5] = [columns::UUID, columns::TRACE_ID, columns::SPAN_ID, activity::ID, activity::HASH];

/// Puts values in the places of `$1`, `$2` and so on, and turns lists of ids into comparisons. Without values the
/// placeholders stay, for a statement that is only planned.
///
/// # Errors
/// `InvalidRequest` for a placeholder without a value and a value without a placeholder, or for a number that is
/// none; `LimitExceeded` for too many values.
pub(super) fn rewrite(statement: &mut Statement, parameters: Option<&[SqlValue]>) -> Result<()> {
    if let Some(parameters) = parameters {
        put_values(statement, parameters)?;
    }
    // A list may have had placeholders, so that this comes second.
    let _visited: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        compare_ids(expr);
        ControlFlow::Continue(())
    });
    Ok(())
}

fn put_values(statement: &mut Statement, parameters: &[SqlValue]) -> Result<()> {
    if parameters.len() > MAX_PARAMETERS {
        let message = format!("parameters: {} values, at most {MAX_PARAMETERS}", parameters.len());
        return Err(Error::new(ErrorKind::LimitExceeded, message));
    }
    let mut is_used = vec![false; parameters.len()];
    let visited = visit_expressions_mut(statement, |expr| {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
        {
            match place_of(name, parameters.len()).and_then(|place| Ok((place, literal(&parameters[place])?)))
            {
                Ok((place, literal)) => {
                    is_used[place] = true;
                    *expr = literal;
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        ControlFlow::Continue(())
    });
    if let ControlFlow::Break(error) = visited {
        return Err(error);
    }
    match is_used.iter().position(|is_used| !is_used) {
        Some(place) => Err(Error::invalid_request(format!(
            "parameters: the statement has no placeholder ${}",
            place + 1
        ))),
        None => Ok(()),
    }
}

fn place_of(name: &str, num_parameters: usize) -> Result<usize> {
    let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
    match number.and_then(|number| number.checked_sub(1)) {
        Some(place) if place < num_parameters => Ok(place),
        Some(_) => Err(Error::invalid_request(format!("parameters: there is no value for {name}"))),
        None => Err(Error::invalid_request(format!("{name} is no placeholder: they are $1, $2 and so on"))),
    }
}

fn literal(value: &SqlValue) -> Result<Expr> {
    let value = match value {
        SqlValue::Null => Value::Null,
        SqlValue::Boolean(value) => Value::Boolean(*value),
        SqlValue::Integer(value) => return Ok(number(*value < 0, value.unsigned_abs().to_string())),
        SqlValue::Number(value) if value.is_finite() => {
            // A number of the text keeps a point or an exponent, so that it stays what it is.
            return Ok(number(value.is_sign_negative(), format!("{:?}", value.abs())));
        }
        SqlValue::Number(_) => return Err(Error::invalid_request("parameters: a number is not finite")),
        SqlValue::Text(text) => Value::SingleQuotedString(text.clone()),
        SqlValue::Timestamp(us) => {
            let time = chrono::DateTime::from_timestamp_micros(*us)
                .ok_or_else(|| Error::invalid_request("parameters: a time is out of range"))?;
            Value::SingleQuotedString(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
        }
    };
    Ok(Expr::value(value))
}

fn number(is_negative: bool, digits: String) -> Expr {
    let digits = Expr::value(Value::Number(digits, false));
    match is_negative {
        true => Expr::Nested(Box::new(Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(digits) })),
        false => digits,
    }
}

/// `trace_id IN ('a', 'b')` means `trace_id = 'a' OR trace_id = 'b'`.
fn compare_ids(expr: &mut Expr) {
    let Expr::InList { expr: of, list, negated } = expr else { return };
    if list.is_empty() || !is_id(of) || !list.iter().all(is_text) {
        return;
    }
    let (op, joined) = match negated {
        true => (BinaryOperator::NotEq, BinaryOperator::And),
        false => (BinaryOperator::Eq, BinaryOperator::Or),
    };
    let mut comparisons: Vec<Expr> =
        list.drain(..).map(|id| binary((**of).clone(), op.clone(), id)).collect();
    // As a balanced tree, so that a long list is not deep.
    while comparisons.len() > 1 {
        let mut pairs = Vec::with_capacity(comparisons.len().div_ceil(2));
        let mut left = comparisons.into_iter();
        while let Some(first) = left.next() {
            pairs.push(match left.next() {
                Some(second) => binary(first, joined.clone(), second),
                None => first,
            });
        }
        comparisons = pairs;
    }
    if let Some(comparison) = comparisons.pop() {
        *expr = Expr::Nested(Box::new(comparison));
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn is_id(expr: &Expr) -> bool {
    let name = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    name.is_some_and(|name| IDS.iter().any(|id| id.eq_ignore_ascii_case(&name.value)))
}

fn is_text(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)))
}

#[cfg(test)]
mod tests {
    use super::super::guard::parse;
    use super::*;

    fn rewritten(text: &str, parameters: &[SqlValue]) -> Result<String> {
        let mut statement = parse(text)?.into_inner();
        rewrite(&mut statement, Some(parameters)).map(|()| statement.to_string())
    }

    #[test]
    fn values_take_the_place_of_placeholders_and_stay_values() {
        let text = |text: &str| SqlValue::Text(text.to_owned());
        for (parameters, expected) in [
            (vec![text("' OR 1=1 --")], "SELECT 1 WHERE a = ''' OR 1=1 --'"),
            (vec![SqlValue::Integer(-3)], "SELECT 1 WHERE a = (-3)"),
            (vec![SqlValue::Integer(i64::MIN)], "SELECT 1 WHERE a = (-9223372036854775808)"),
            (vec![SqlValue::Number(2.0)], "SELECT 1 WHERE a = 2.0"),
            (vec![SqlValue::Null], "SELECT 1 WHERE a = NULL"),
            (vec![SqlValue::Boolean(true)], "SELECT 1 WHERE a = true"),
            (vec![SqlValue::Timestamp(1)], "SELECT 1 WHERE a = '1970-01-01T00:00:00.000001Z'"),
        ] {
            assert_eq!(rewritten("SELECT 1 WHERE a = $1", &parameters).unwrap(), expected);
        }
        let both = [text("a"), SqlValue::Integer(2)];
        assert_eq!(rewritten("SELECT $1, $2, $1 LIMIT $2", &both).unwrap(), "SELECT 'a', 2, 'a' LIMIT 2");
    }

    #[test]
    fn values_and_placeholders_that_do_not_fit_are_refused() {
        let one = [SqlValue::Integer(1)];
        for (statement, parameters, part) in [
            ("SELECT $1", &[][..], "no value for $1"),
            ("SELECT $2, $1", &one, "no value for $2"),
            ("SELECT 1", &one, "no placeholder $1"),
            ("SELECT $0", &one, "no placeholder"),
            ("SELECT $a", &one, "no placeholder"),
            ("SELECT ?", &one, "no placeholder"),
            ("SELECT $1", &[SqlValue::Number(f64::NAN)], "not finite"),
        ] {
            let error = rewritten(statement, parameters).expect_err(statement);
            assert!(error.message().contains(part), "{statement}: {error}");
        }
    }

    #[test]
    fn lists_of_ids_are_comparisons() {
        assert_eq!(
            rewritten("SELECT 1 FROM logs WHERE l.trace_id IN ('a', $1, 'c')", &[SqlValue::Text("b".into())])
                .unwrap(),
            "SELECT 1 FROM logs WHERE (l.trace_id = 'a' OR l.trace_id = 'b' OR l.trace_id = 'c')"
        );
        assert_eq!(
            rewritten("SELECT 1 WHERE uuid NOT IN ('a', 'b') AND body IN ('a')", &[]).unwrap(),
            "SELECT 1 WHERE (uuid <> 'a' AND uuid <> 'b') AND body IN ('a')"
        );
    }
}
