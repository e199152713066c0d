//! Conditions on a column of the row.

use arrow::datatypes::DataType;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use datafusion::common::ScalarValue;
use datafusion::prelude::{Expr, cast, ident, lit};
use uuid::Uuid;

use super::super::model::{FilterLeaf, Operator, Scalar};
use super::attribute::describe;
use super::date::instant;
use super::function::call;
use super::number::parse_number;
use super::predicate::{
    Condition, EmptyText, Predicate, Question, Relation, Typing, number_range, operands, question,
};
use super::{FilterContext, dictionary_literal, invalid, timestamp_literal};
use crate::error::Result;
use crate::schema::columns;

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Dictionary,
    /// Only membership exists, whatever the operator.
    Severity,
    /// Bytes, written as hexadecimal digits or base64.
    Bytes(i32),
    Uuid,
    Number,
    Time,
}

/// The column that a key names.
fn resolve(key: &str) -> Option<(&'static str, Kind)> {
    Some(match key {
        "message" | columns::BODY => (columns::BODY, Kind::Text),
        "severity_level" => (columns::SEVERITY_TEXT, Kind::Severity),
        "level" | columns::SEVERITY_TEXT => (columns::SEVERITY_TEXT, Kind::Dictionary),
        columns::SERVICE_NAME => (columns::SERVICE_NAME, Kind::Dictionary),
        columns::INSTRUMENTATION_SCOPE => (columns::INSTRUMENTATION_SCOPE, Kind::Dictionary),
        columns::EVENT_NAME => (columns::EVENT_NAME, Kind::Dictionary),
        columns::TRACE_ID => (columns::TRACE_ID, Kind::Bytes(16)),
        columns::SPAN_ID => (columns::SPAN_ID, Kind::Bytes(8)),
        columns::UUID => (columns::UUID, Kind::Uuid),
        columns::SEVERITY_NUMBER => (columns::SEVERITY_NUMBER, Kind::Number),
        columns::TRACE_FLAGS => (columns::TRACE_FLAGS, Kind::Number),
        columns::RESOURCE_FINGERPRINT => (columns::RESOURCE_FINGERPRINT, Kind::Number),
        columns::BYTES_UNCOMPRESSED => (columns::BYTES_UNCOMPRESSED, Kind::Number),
        columns::TIMESTAMP => (columns::TIMESTAMP, Kind::Time),
        columns::OBSERVED_TIMESTAMP => (columns::OBSERVED_TIMESTAMP, Kind::Time),
        columns::INGESTED_TIMESTAMP => (columns::INGESTED_TIMESTAMP, Kind::Time),
        _ => return None,
    })
}

/// The condition of a leaf on a column; none when the leaf says nothing.
pub(super) fn translate(leaf: &FilterLeaf, context: &FilterContext) -> Result<Option<Expr>> {
    let Some((name, kind)) = resolve(&leaf.key) else {
        return Err(invalid(leaf, format!("there is no column {:?}", leaf.key)));
    };
    let empty_text = match leaf.key.as_str() {
        "severity_level" | columns::SERVICE_NAME => EmptyText::SaysNothing,
        _ => EmptyText::IsAValue,
    };
    let operands = match operands(leaf, empty_text)? {
        Condition::Dropped => return Ok(None),
        Condition::Always => return Ok(Some(lit(true))),
        Condition::Test(operands) => operands,
    };
    let leaf = ColumnLeaf { leaf, name, kind, operands, context };
    leaf.expr().map(Some)
}

/// The condition that a column of text with few distinct values has one of `values`.
pub(super) fn text_in(name: &str, values: &[impl AsRef<str>]) -> Expr {
    one_of(ident(name), values.iter().map(|value| dictionary_literal(value.as_ref())).collect())
}

/// The condition that the body contains a text, ignoring case.
///
/// # Errors
/// `LimitExceeded` when the text is too long.
pub(super) fn body_contains(needle: &str) -> Result<Expr> {
    let predicate = Predicate::contains("searchTerm", needle)?;
    Ok(call(predicate, &format!("contains {needle:?}"), ident(columns::BODY)))
}

/// A leaf with everything needed to translate it.
struct ColumnLeaf<'a> {
    leaf: &'a FilterLeaf,
    name: &'static str,
    kind: Kind,
    operands: &'a [Scalar],
    context: &'a FilterContext,
}

impl ColumnLeaf<'_> {
    fn expr(&self) -> Result<Expr> {
        let (question, negated) = question(self.leaf.operator);
        if question == Question::Present {
            // Every row has every column.
            return Ok(lit(!negated));
        }
        if self.kind == Kind::Severity {
            let is_not = matches!(self.leaf.operator, Operator::IsNot | Operator::NotIn);
            return Ok(negate_if(is_not, self.equals(dictionary_literal)));
        }
        let plain = match self.kind {
            Kind::Text => self.text(question, |text| lit(ScalarValue::Utf8View(Some(text.to_owned())))),
            Kind::Dictionary | Kind::Severity => self.text(question, dictionary_literal),
            Kind::Bytes(length) => Some(self.bytes(question, length)?),
            Kind::Uuid => Some(self.uuid(question)?),
            Kind::Number => self.number(question)?,
            Kind::Time => Some(self.time(question)?),
        };
        match plain {
            Some(plain) => Ok(negate_if(negated, plain)),
            None => self.searched(),
        }
    }

    fn column(&self) -> Expr {
        ident(self.name)
    }

    /// Tested as text by a function of our own.
    fn searched(&self) -> Result<Expr> {
        let predicate = Predicate::compile(self.leaf, self.operands, Typing::NumericOrder, self.context)?;
        let column = match self.kind {
            Kind::Number => cast(self.column(), DataType::Utf8),
            _ => self.column(),
        };
        Ok(call(predicate, &describe(self.leaf, self.context), column))
    }

    fn equals(&self, literal: impl Fn(&str) -> Expr) -> Expr {
        one_of(self.column(), self.operands.iter().map(|operand| literal(operand.text())).collect())
    }

    fn text(&self, question: Question, literal: impl Fn(&str) -> Expr) -> Option<Expr> {
        (question == Question::Equals).then(|| self.equals(literal))
    }

    /// An operand that spells no id equals no id.
    fn bytes(&self, question: Question, length: i32) -> Result<Expr> {
        self.only_equality(question)?;
        let ids = self.operands.iter().filter_map(|operand| parse_bytes(operand.text(), length));
        Ok(one_of(self.column(), ids.map(|id| bytes_literal(length, id)).collect()))
    }

    fn uuid(&self, question: Question) -> Result<Expr> {
        self.only_equality(question)?;
        let ids = self.operands.iter().filter_map(|operand| Uuid::parse_str(operand.text()).ok());
        Ok(one_of(self.column(), ids.map(|id| bytes_literal(16, id.as_bytes().to_vec())).collect()))
    }

    fn only_equality(&self, question: Question) -> Result<()> {
        if question == Question::Equals {
            return Ok(());
        }
        Err(invalid(self.leaf, format!("the column {:?} can only be compared for equality", self.leaf.key)))
    }

    fn number(&self, question: Question) -> Result<Option<Expr>> {
        Ok(match question {
            Question::Equals => Some(one_of(self.column(), self.numbers()?)),
            Question::Order(relation) => Some(any_of(
                self.numbers()?.into_iter().map(|number| relate(self.column(), relation, number)),
            )),
            Question::Between => {
                number_range(self.leaf, self.operands)?;
                let [min, max] = &self.numbers()?[..] else {
                    return Err(invalid(self.leaf, "the operator needs [min, max]"));
                };
                Some(self.column().between(min.clone(), max.clone()))
            }
            _ => None,
        })
    }

    fn numbers(&self) -> Result<Vec<Expr>> {
        self.operands.iter().map(|operand| self.number_literal(operand)).collect()
    }

    /// Whole numbers stay whole, because a fingerprint is larger than a float can tell apart.
    fn number_literal(&self, operand: &Scalar) -> Result<Expr> {
        let text = operand.text();
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(lit(whole));
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Ok(lit(whole));
        }
        parse_number(operand).map(lit).ok_or_else(|| {
            invalid(self.leaf, format!("{text:?} is not a number, and {:?} is one", self.leaf.key))
        })
    }

    fn time(&self, question: Question) -> Result<Expr> {
        let relation = match question {
            Question::Equals => Relation::Equal,
            Question::Order(relation) | Question::Date(relation) => relation,
            _ => return Err(invalid(self.leaf, format!("the column {:?} is a time", self.leaf.key))),
        };
        let instants = self.operands.iter().map(|operand| instant(self.leaf, operand.text(), self.context));
        let instants = instants.collect::<Result<Vec<i64>>>()?;
        Ok(any_of(instants.into_iter().map(|us| relate(self.column(), relation, timestamp_literal(us)))))
    }
}

fn relate(column: Expr, relation: Relation, literal: Expr) -> Expr {
    match relation {
        Relation::Less => column.lt(literal),
        Relation::LessOrEqual => column.lt_eq(literal),
        Relation::Equal => column.eq(literal),
        Relation::Greater => column.gt(literal),
        Relation::GreaterOrEqual => column.gt_eq(literal),
    }
}

fn one_of(column: Expr, mut literals: Vec<Expr>) -> Expr {
    match literals.len() {
        0 => lit(false),
        1 => column.eq(literals.remove(0)),
        _ => column.in_list(literals, false),
    }
}

fn any_of(conditions: impl Iterator<Item = Expr>) -> Expr {
    super::join(super::Join::Or, conditions.collect()).unwrap_or_else(|| lit(false))
}

/// No column is null, so that the opposite of a comparison needs no third case.
fn negate_if(negated: bool, condition: Expr) -> Expr {
    if negated { !condition } else { condition }
}

fn bytes_literal(length: i32, bytes: Vec<u8>) -> Expr {
    lit(ScalarValue::FixedSizeBinary(length, Some(bytes)))
}

/// The bytes that hexadecimal digits or base64 text of exactly `length` bytes spell.
fn parse_bytes(text: &str, length: i32) -> Option<Vec<u8>> {
    /// With or without padding.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let length = usize::try_from(length).ok()?;
    let bytes = if text.len() == 2 * length { parse_hex(text) } else { None };
    bytes.or_else(|| BASE64.decode(text).ok()).filter(|bytes| bytes.len() == length)
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_in_any_case_or_base64() {
        let trace = parse_bytes("0123456789ABCDEF0123456789abcdef", 16).unwrap();
        assert_eq!(parse_bytes("ASNFZ4mrze8BI0VniavN7w==", 16), Some(trace.clone()));
        assert_eq!(parse_bytes("ASNFZ4mrze8BI0VniavN7w", 16), Some(trace));
        assert_eq!(parse_bytes("/ty6mHZUMhA=", 8), parse_bytes("fedcba9876543210", 8));
        for text in ["", "0123", "ASNFZ4mrze8BI0VniavN7w==", "zzzzzzzzzzzzzzzz", "é"] {
            assert_eq!(parse_bytes(text, 8), None, "{text}");
        }
    }
}
