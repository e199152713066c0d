//! An operator and its operands, made ready to test values.

use super::super::model::{FilterLeaf, Operand, Operator, Scalar};
use super::body_test::BodyTest;
use super::date::DateTest;
use super::number::{NumberTest, parse_number};
use super::semver::{SemverRelation, SemverTest};
use super::text::TextTest;
use super::{FilterContext, MAX_OPERANDS, invalid, over_limit};
use crate::error::Result;

/// When operands that are numbers make the comparison numeric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// For equality and for order: attributes of the record.
    Numeric,
    /// For order only: columns of text.
    NumericOrder,
    /// Never: attributes of the resource.
    Text,
}

/// How values are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    /// Whether `left` stands in this relation to `right`; values without an order stand in none.
    pub(super) fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// What an operator asks of a value, apart from negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Equals,
    Contains,
    Matches,
    StartsWith,
    EndsWith,
    Order(Relation),
    Between,
    Present,
    Date(Relation),
    Semver(SemverRelation),
}

/// What an operator asks, and whether it asks for the opposite. The opposite also holds for missing values.
pub(super) fn question(operator: Operator) -> (Question, bool) {
    use Operator as Op;
    match operator {
        Op::Exact | Op::In => (Question::Equals, false),
        Op::IsNot | Op::NotIn => (Question::Equals, true),
        Op::Icontains | Op::IcontainsMulti => (Question::Contains, false),
        Op::NotIcontains | Op::NotIcontainsMulti => (Question::Contains, true),
        Op::Regex => (Question::Matches, false),
        Op::NotRegex => (Question::Matches, true),
        Op::StartsWith => (Question::StartsWith, false),
        Op::NotStartsWith => (Question::StartsWith, true),
        Op::EndsWith => (Question::EndsWith, false),
        Op::NotEndsWith => (Question::EndsWith, true),
        Op::Gt => (Question::Order(Relation::Greater), false),
        Op::Gte => (Question::Order(Relation::GreaterOrEqual), false),
        Op::Lt => (Question::Order(Relation::Less), false),
        Op::Lte => (Question::Order(Relation::LessOrEqual), false),
        Op::Between => (Question::Between, false),
        Op::NotBetween => (Question::Between, true),
        Op::IsSet => (Question::Present, false),
        Op::IsNotSet => (Question::Present, true),
        Op::IsDateExact => (Question::Date(Relation::Equal), false),
        Op::IsDateBefore => (Question::Date(Relation::Less), false),
        Op::IsDateAfter => (Question::Date(Relation::Greater), false),
        Op::SemverEq => (Question::Semver(SemverRelation::Is(Relation::Equal)), false),
        Op::SemverNeq => (Question::Semver(SemverRelation::IsNot), false),
        Op::SemverGt => (Question::Semver(SemverRelation::Is(Relation::Greater)), false),
        Op::SemverGte => (Question::Semver(SemverRelation::Is(Relation::GreaterOrEqual)), false),
        Op::SemverLt => (Question::Semver(SemverRelation::Is(Relation::Less)), false),
        Op::SemverLte => (Question::Semver(SemverRelation::Is(Relation::LessOrEqual)), false),
        Op::SemverTilde => (Question::Semver(SemverRelation::Tilde), false),
        Op::SemverCaret => (Question::Semver(SemverRelation::Caret), false),
        Op::SemverWildcard => (Question::Semver(SemverRelation::Wildcard), false),
    }
}

/// How many patterns a leaf makes to be compiled.
pub(super) fn num_patterns(leaf: &FilterLeaf) -> usize {
    match (question(leaf.operator).0, &leaf.operand) {
        (Question::Contains | Question::Matches, Operand::Many(patterns)) => patterns.len(),
        (Question::Contains | Question::Matches, Operand::One(_)) => 1,
        _ => 0,
    }
}

/// What a leaf comes to.
pub(super) enum Condition<T> {
    /// Nothing was asked: as if the leaf were not there.
    Dropped,
    /// Every row passes.
    Always,
    /// The test decides.
    Test(T),
}

/// A leaf's operands where they decide what the leaf comes to, before its test is made.
///
/// # Errors
/// `InvalidRequest` when the operator needs operands that are not there, `LimitExceeded` for too many.
pub(super) fn operands(leaf: &FilterLeaf, empty_text: EmptyText) -> Result<Condition<&[Scalar]>> {
    let operands = match &leaf.operand {
        Operand::Absent => &[],
        Operand::One(scalar) => std::slice::from_ref(scalar),
        Operand::Many(scalars) => scalars.as_slice(),
    };
    if operands.len() > MAX_OPERANDS {
        return Err(over_limit(format!("{}: more than {MAX_OPERANDS} values", leaf.path)));
    }
    let (question, negated) = question(leaf.operator);
    let is_empty_text = matches!(operands, [Scalar::Text(text)] if text.is_empty());
    match question {
        Question::Present | Question::Between => Ok(Condition::Test(operands)),
        _ if leaf.operand == Operand::Absent => Ok(Condition::Dropped),
        _ if empty_text == EmptyText::SaysNothing && (operands.is_empty() || is_empty_text) => {
            Ok(Condition::Dropped)
        }
        // Containing one of no texts is false, and its opposite is true; no test is needed for the latter.
        Question::Contains if operands.is_empty() && !is_multi(leaf.operator) && !negated => {
            Ok(Condition::Test(operands))
        }
        _ if operands.is_empty() => Ok(Condition::Always),
        Question::Equals if needs_list(leaf.operator) && !matches!(leaf.operand, Operand::Many(_)) => {
            Err(invalid(leaf, "the operator needs a list of values"))
        }
        _ => Ok(Condition::Test(operands)),
    }
}

/// Whether `""` is a value to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmptyText {
    /// It is.
    IsAValue,
    /// It stands for no value at all, and so does an empty list.
    SaysNothing,
}

fn needs_list(operator: Operator) -> bool {
    matches!(operator, Operator::In | Operator::NotIn)
}

fn is_multi(operator: Operator) -> bool {
    matches!(operator, Operator::IcontainsMulti | Operator::NotIcontainsMulti)
}

/// A test of one value, which may be missing.
#[derive(Debug)]
pub(super) struct Predicate {
    test: Test,
    negated: bool,
}

#[derive(Debug)]
enum Test {
    Present,
    Text(TextTest),
    Number(NumberTest),
    Date(DateTest),
    Semver(SemverTest),
}

impl Predicate {
    /// Makes a leaf's operator and its `operands` ready.
    ///
    /// # Errors
    /// `InvalidRequest` when the operands do not suit the operator, `LimitExceeded` over a limit.
    pub(super) fn compile(
        leaf: &FilterLeaf,
        operands: &[Scalar],
        typing: Typing,
        context: &FilterContext,
    ) -> Result<Self> {
        let (question, negated) = question(leaf.operator);
        Ok(Self { test: Test::compile(leaf, question, operands, typing, context)?, negated })
    }

    /// A predicate that holds for text containing `needle`, ignoring case.
    ///
    /// # Errors
    /// `LimitExceeded` when the needle is too long.
    pub(super) fn contains(path: &str, needle: &str) -> Result<Self> {
        Ok(Self { test: Test::Text(TextTest::contains(path, &[needle])?), negated: false })
    }

    /// What it says of the words of a body that it holds for; none when nothing.
    pub(super) fn body_test(&self) -> Option<BodyTest> {
        match &self.test {
            Test::Text(test) if !self.negated => test.body_test(),
            _ => None,
        }
    }

    /// Whether the predicate holds for a value, or for its absence.
    pub(super) fn holds(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.test.passes(value)) != self.negated
    }
}

impl Test {
    fn compile(
        leaf: &FilterLeaf,
        question: Question,
        operands: &[Scalar],
        typing: Typing,
        context: &FilterContext,
    ) -> Result<Self> {
        let texts: Vec<&str> = operands.iter().map(Scalar::text).collect();
        let numbers = || operands.iter().map(parse_number).collect::<Option<Vec<f64>>>();
        Ok(match question {
            Question::Present => Self::Present,
            Question::Equals => match numbers() {
                Some(numbers) if typing == Typing::Numeric => Self::Number(NumberTest::equals(numbers)),
                _ => Self::Text(TextTest::equals(&texts)),
            },
            Question::Order(relation) => match numbers() {
                Some(numbers) if typing != Typing::Text => Self::Number(NumberTest::order(relation, numbers)),
                _ => Self::Text(TextTest::order(relation, &texts)),
            },
            Question::Between => {
                let (min, max) = number_range(leaf, operands)?;
                match typing {
                    Typing::Text => Self::Text(TextTest::between(texts[0], texts[1])),
                    _ => Self::Number(NumberTest::between(min, max)),
                }
            }
            Question::Contains => Self::Text(TextTest::contains(&leaf.path, &texts)?),
            Question::Matches => Self::Text(TextTest::matches(&leaf.path, &texts)?),
            Question::StartsWith => Self::Text(TextTest::starts_with(&leaf.path, &texts)?),
            Question::EndsWith => Self::Text(TextTest::ends_with(&leaf.path, &texts)?),
            Question::Date(relation) => Self::Date(DateTest::compile(leaf, relation, &texts, context)?),
            Question::Semver(relation) => Self::Semver(SemverTest::compile(leaf, relation, &texts)?),
        })
    }

    fn passes(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Text(test) => test.passes(value),
            Self::Number(test) => test.passes(value),
            Self::Date(test) => test.passes(value),
            Self::Semver(test) => test.passes(value),
        }
    }
}

/// The bounds of `between`.
///
/// # Errors
/// `InvalidRequest` unless there are two numbers in order.
pub(super) fn number_range(leaf: &FilterLeaf, operands: &[Scalar]) -> Result<(f64, f64)> {
    let [min, max] = operands else {
        return Err(invalid(leaf, format!("the operator needs [min, max], not {} values", operands.len())));
    };
    match (parse_number(min), parse_number(max)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        (Some(_), Some(_)) => {
            Err(invalid(leaf, format!("min {:?} is not below max {:?}", min.text(), max.text())))
        }
        _ => Err(invalid(leaf, format!("{:?} and {:?} are not both numbers", min.text(), max.text()))),
    }
}
