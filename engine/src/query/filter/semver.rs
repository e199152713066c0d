//! Tests of semantic versions: values are stored as text, and count as versions when they parse as one.
//!
//! A version is up to three numbers; missing ones are zero. Pre-release and build suffixes are cut off, and
//! a leading `v` is decoration.

use std::ops::Range;

use super::super::model::FilterLeaf;
use super::invalid;
use super::predicate::Relation;
use crate::error::Result;

/// Major, minor, patch.
type Version = [u64; 3];

/// How a version relates to the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SemverRelation {
    /// Compared as versions.
    Is(Relation),
    /// Is a version, and another one.
    IsNot,
    /// `~1.2.3`: the same minor version, not older.
    Tilde,
    /// `^1.2.3`: the same leftmost non-zero part, not older.
    Caret,
    /// `1.2.*`: the parts before the star are equal.
    Wildcard,
}

/// A test that text passes when it is a version in a relation to one of the operands.
#[derive(Debug)]
pub(super) struct SemverTest(Vec<VersionTest>);

#[derive(Debug)]
enum VersionTest {
    Is(Relation, Version),
    IsNot(Version),
    Within(Range<Version>),
    /// `*`
    Any,
}

impl SemverTest {
    /// # Errors
    /// `InvalidRequest` when an operand is not a version.
    pub(super) fn compile(leaf: &FilterLeaf, relation: SemverRelation, operands: &[&str]) -> Result<Self> {
        let tests = operands.iter().map(|operand| {
            VersionTest::compile(relation, operand)
                .ok_or_else(|| invalid(leaf, format!("{operand:?} is not a semantic version")))
        });
        tests.collect::<Result<_>>().map(Self)
    }

    pub(super) fn passes(&self, value: &str) -> bool {
        let Some(parts) = parse(value) else { return false };
        self.0.iter().any(|test| test.passes(parts.numbers))
    }
}

impl VersionTest {
    fn compile(relation: SemverRelation, operand: &str) -> Option<Self> {
        Some(match relation {
            SemverRelation::Is(relation) => Self::Is(relation, parse(operand)?.numbers),
            SemverRelation::IsNot => Self::IsNot(parse(operand)?.numbers),
            SemverRelation::Tilde => {
                let Parts { numbers, len } = parse(operand)?;
                // Without a minor version any minor version will do.
                Self::Within(numbers..next(numbers, if len == 1 { 0 } else { 1 }))
            }
            SemverRelation::Caret => {
                let Parts { numbers, len } = parse(operand)?;
                let first_non_zero = numbers.iter().position(|number| *number != 0);
                let significant = first_non_zero.unwrap_or(2).min(len - 1);
                Self::Within(numbers..next(numbers, significant))
            }
            SemverRelation::Wildcard => return Self::wildcard(operand),
        })
    }

    fn wildcard(operand: &str) -> Option<Self> {
        let fixed = operand.trim_end_matches(".*");
        if fixed == "*" {
            return Some(Self::Any);
        }
        let Parts { numbers, len } = parse(fixed)?;
        Some(Self::Within(numbers..next(numbers, len - 1)))
    }

    fn passes(&self, version: Version) -> bool {
        match self {
            Self::Is(relation, operand) => relation.holds(&version, operand),
            Self::IsNot(operand) => version != *operand,
            Self::Within(range) => range.contains(&version),
            Self::Any => true,
        }
    }
}

/// The numbers of a version, and how many were written.
struct Parts {
    numbers: Version,
    len: usize,
}

fn parse(text: &str) -> Option<Parts> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let numbers_end = text.find(['-', '+']).unwrap_or(text.len());
    let mut parts = Parts { numbers: [0; 3], len: 0 };
    for part in text[..numbers_end].split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *parts.numbers.get_mut(parts.len)? = is_number.then(|| part.parse().ok())??;
        parts.len += 1;
    }
    Some(parts)
}

/// The first version whose part at `index` is higher.
fn next(version: Version, index: usize) -> Version {
    let mut next = [0; 3];
    next[..index].copy_from_slice(&version[..index]);
    next[index] = version[index].saturating_add(1);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(relation: SemverRelation, operand: &str, passing: &[&str], failing: &[&str]) {
        let test = SemverTest(vec![VersionTest::compile(relation, operand).unwrap()]);
        for text in passing {
            assert!(test.passes(text), "{text} {relation:?} {operand}");
        }
        for text in failing {
            assert!(!test.passes(text), "{text} {relation:?} {operand}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        check(
            SemverRelation::Is(Relation::Equal),
            "1.2",
            &["1.2.0", "v1.2", "1.2.0-rc.1+5"],
            &["1.2.1", "x"],
        );
        check(SemverRelation::IsNot, "1.2.0", &["1.2.1", "2"], &["1.2", "latest", ""]);
        check(SemverRelation::Is(Relation::Greater), "1.9.9", &["1.10", "2.0.0-beta"], &["1.9.9", "1.2"]);
        check(
            SemverRelation::Is(Relation::LessOrEqual),
            "1.2.3",
            &["1.2.3", "0"],
            &["1.2.4", "1..2", "1.2.3.4"],
        );
    }

    #[test]
    fn tilde_keeps_the_minor_version() {
        check(SemverRelation::Tilde, "1.2.3", &["1.2.3", "1.2.9"], &["1.2.2", "1.3.0"]);
        check(SemverRelation::Tilde, "1.2", &["1.2.0"], &["1.3.0"]);
        check(SemverRelation::Tilde, "1", &["1.9.0"], &["2.0.0"]);
    }

    #[test]
    fn caret_keeps_the_leftmost_non_zero_part() {
        check(SemverRelation::Caret, "1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0"]);
        check(SemverRelation::Caret, "0.2.3", &["0.2.3", "0.2.9"], &["0.3.0"]);
        check(SemverRelation::Caret, "0.0.3", &["0.0.3"], &["0.0.4"]);
        check(SemverRelation::Caret, "0.0", &["0.0.9"], &["0.1.0"]);
        check(SemverRelation::Caret, "0", &["0.9.0"], &["1.0.0"]);
    }

    #[test]
    fn wildcard_keeps_what_stands_before_the_star() {
        check(SemverRelation::Wildcard, "1.2.*", &["1.2.0", "1.2.7"], &["1.3.0"]);
        check(SemverRelation::Wildcard, "1.*", &["1.2.0"], &["2.0.0"]);
        check(SemverRelation::Wildcard, "1.*.*", &["1.2.0"], &["2.0.0"]);
        check(SemverRelation::Wildcard, "*", &["0.0.1", "9"], &["x"]);
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for operand in ["", "x", "1.x", "1.2.3.4", "-1", "99999999999999999999"] {
            assert!(
                VersionTest::compile(SemverRelation::Is(Relation::Equal), operand).is_none(),
                "{operand}"
            );
        }
        assert!(VersionTest::compile(SemverRelation::Wildcard, "a.*").is_none());
    }
}
