//! Tests of numbers: values are stored as text, and count as numbers when they parse as one.

use super::super::model::Scalar;
use super::predicate::Relation;

/// A test that text passes when it is a number that passes.
#[derive(Debug)]
pub(super) enum NumberTest {
    /// Stands in the relation to one of the numbers.
    Order(Relation, Vec<f64>),
    Between(f64, f64),
}

impl NumberTest {
    pub(super) fn equals(numbers: Vec<f64>) -> Self {
        Self::Order(Relation::Equal, numbers)
    }

    pub(super) fn order(relation: Relation, numbers: Vec<f64>) -> Self {
        Self::Order(relation, numbers)
    }

    pub(super) fn between(min: f64, max: f64) -> Self {
        Self::Between(min, max)
    }

    pub(super) fn passes(&self, value: &str) -> bool {
        let Ok(value) = value.parse::<f64>() else { return false };
        match self {
            Self::Order(relation, numbers) => numbers.iter().any(|number| relation.holds(&value, number)),
            Self::Between(min, max) => *min <= value && value <= *max,
        }
    }
}

/// The number that an operand is, or spells; truth values are text.
pub(super) fn parse_number(scalar: &Scalar) -> Option<f64> {
    match scalar {
        Scalar::Number { value, .. } => Some(*value),
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Bool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_that_number() {
        let test = NumberTest::equals(vec![500.0]);
        for text in ["500", "500.0", "5e2", "+500", "0500", "500."] {
            assert!(test.passes(text), "{text}");
        }
        for text in ["", "500ms", " 500", "5_00", "0x1f4", "五百", "NaN"] {
            assert!(!test.passes(text), "{text}");
        }
    }

    #[test]
    fn numbers_compare_as_numbers() {
        let less = NumberTest::order(Relation::Less, vec![10.0]);
        assert!(less.passes("9") && !less.passes("10") && !less.passes("abc") && less.passes("-inf"));
        assert!(NumberTest::between(1.0, 2.0).passes("2.0") && !NumberTest::between(1.0, 2.0).passes("2.01"));
        assert!(!NumberTest::equals(vec![f64::NAN]).passes("nan"));
    }

    #[test]
    fn operands_are_numbers_when_they_spell_one() {
        assert_eq!(parse_number(&Scalar::Text("1e3".into())), Some(1000.0));
        assert_eq!(parse_number(&Scalar::Text("inf".into())), Some(f64::INFINITY));
        assert_eq!(parse_number(&Scalar::Text(String::new())), None);
        assert_eq!(parse_number(&Scalar::Bool(true)), None);
    }
}
