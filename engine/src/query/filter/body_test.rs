//! What a condition on bodies says of their words, so that bodies without them need not be tested.

use datafusion::prelude::Expr;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::function::predicate_of;
use crate::index::words::Needle;
use crate::schema::columns;

/// A test that a body passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::query) struct BodyTest {
    /// A body that passes has all texts of one of these, ignoring case.
    pub(in crate::query) alternatives: Vec<Vec<Needle>>,
    /// Whether every body passes that has the text, where there is but one.
    pub(in crate::query) is_contained: bool,
}

/// What a condition tests bodies for; none when it says nothing of their words.
pub(in crate::query) fn body_test(condition: &Expr) -> Option<BodyTest> {
    let Expr::ScalarFunction(call) = condition else { return None };
    let [Expr::Column(column)] = call.args.as_slice() else { return None };
    let test = predicate_of(&call.func)?.body_test()?;
    (column.name == columns::BODY && !test.alternatives.is_empty()).then_some(test)
}

/// The texts that whatever a pattern finds has in it.
pub(super) fn required_texts(pattern: &str) -> Vec<Needle> {
    let mut texts = Vec::new();
    if let Ok(hir) = regex_syntax::parse(pattern) {
        collect(&hir, &mut texts);
    }
    texts.iter().map(|text| Needle::new(text)).filter(Needle::is_known).collect()
}

fn collect(hir: &Hir, texts: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let mut text = String::new();
            for part in parts {
                match literal(part) {
                    Some(more) => text.push_str(&more),
                    None => {
                        texts.push(std::mem::take(&mut text));
                        collect(part, texts);
                    }
                }
            }
            texts.push(text);
        }
        HirKind::Capture(capture) => collect(&capture.sub, texts),
        HirKind::Repetition(repetition) if repetition.min > 0 => collect(&repetition.sub, texts),
        _ => texts.extend(literal(hir)),
    }
}

/// The text that a part of a pattern stands for, perhaps in another case.
fn literal(part: &Hir) -> Option<String> {
    match part.kind() {
        HirKind::Literal(literal) => Some(std::str::from_utf8(&literal.0).ok()?.to_owned()),
        // A letter that ignores case: all that it can be are equal to each other.
        HirKind::Class(Class::Unicode(class)) => {
            let mut chars = class.iter().flat_map(|range| (range.start()..=range.end()).take(MAX_CASES + 1));
            let first = chars.next()?;
            let is_one = chars.take(MAX_CASES).all(|other| is_same_letter(first, other));
            let num_chars: usize = class.iter().map(|range| range.len()).sum();
            (is_one && num_chars <= MAX_CASES).then(|| first.to_string())
        }
        _ => None,
    }
}

/// No letter has more forms: k and s have three.
const MAX_CASES: usize = 3;

fn is_same_letter(one: char, other: char) -> bool {
    let needle = Needle::new(&one.to_string());
    needle.is_letter() && needle == Needle::new(&other.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, texts: &[&str]) {
        let expected: Vec<Needle> = texts.iter().map(|text| Needle::new(text)).collect();
        assert_eq!(required_texts(pattern), expected, "{pattern}");
    }

    #[test]
    fn patterns_have_what_every_match_has() {
        check("timed out after [0-9]+ms", &["timed out after ", "ms"][..1]);
        check("^(user) logged (in|out)$", &["user", " logged "]);
        check("(?i)Timeout", &["timeout"]);
        check("(?i)sk[xy]", &[]);
        check("(?i)kiss", &["kiss"]);
        check("(timeout)+x?", &["timeout"]);
        check("(timeout)*", &[]);
        check("one|two", &[]);
        check("[0-9]+", &[]);
        check("path.*status", &["path", "status"]);
    }
}
