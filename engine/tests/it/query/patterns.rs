//! Property: patterns count every row once, whatever lies where, and what they give to match finds their rows.

use std::collections::BTreeMap;

use engine::query::model::{LogFilter, Namespace, Operand, Operator, Scalar};
use engine::query::{PatternsAnswer, PatternsDiffRequest, PatternsRequest, TimeRange};
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Row};
use super::filters::leaf;
use super::properties::{Layout, SECOND, config, filter, layout, layout_rows, matching};

/// Bodies of a few kinds, with values and words that differ.
fn body() -> impl Strategy<Value = String> {
    let word = || select(["alice", "bob", "carol", "é", "<num>", "<*>", "a=b", "x,y", "…"].as_slice());
    (0..9_u8, word(), word(), 0..1000_u32).prop_map(|(kind, one, two, number)| match kind {
        0 => format!("user {one} logged in from 10.0.0.{}", number % 256),
        1 => format!("  took {number}.5 ms\n\tand {one} retries"),
        2 => format!(r#"{{"level":"{one}","msg":"order {number} of {two} failed","n":-{number}}}"#),
        3 => format!("{one} {two}"),
        4 => one.to_owned(),
        5 => format!("2025-12-16T10:32:36.{number:03}Z {one}: {two} 0x{number:x}"),
        6 => format!("{} {one} {number}", "long ".repeat(300)),
        7 => format!("{one}{number}{two} ({number:06x}) [{one}]"),
        _ => String::new(),
    })
}

fn with_bodies() -> impl Strategy<Value = Layout> {
    layout().prop_flat_map(|layout| {
        let num_rows = layout_rows(&layout).len();
        prop::collection::vec(body(), num_rows).prop_map(move |bodies| {
            let mut layout = layout.clone();
            let rows = layout.files.iter_mut().chain(&mut layout.segments).flatten();
            rows.zip(bodies).for_each(|(row, body)| row.body = body);
            layout
        })
    })
}

fn patterns_of(
    corpus: &Corpus,
    filter: &LogFilter,
    range: TimeRange,
) -> impl Future<Output = PatternsAnswer> {
    let request = PatternsRequest { filter: filter.clone(), range, limit: 200 };
    async move { corpus.context.patterns(&corpus.snapshot, &request).await.unwrap() }
}

/// Every number again, from the rows that the pattern's masked bodies find.
async fn check_patterns(corpus: &Corpus, rows: &[Row], filter: &LogFilter, range: TimeRange) {
    let answer = patterns_of(corpus, filter, range).await;
    let expected = matching(rows, filter, range);
    assert_eq!(
        (answer.total_rows, answer.rows_with_patterns),
        (expected.len() as u64, expected.len() as u64)
    );
    assert_eq!(answer.omitted_patterns, 0);
    let counted: u64 = answer.patterns.iter().map(|pattern| pattern.num_rows).sum();
    assert_eq!(counted, expected.len() as u64, "each body is of one pattern");
    for (place, pattern) in answer.patterns.iter().enumerate() {
        let expression = pattern.match_regex.as_deref().map(|text| Regex::new(text).unwrap());
        assert_eq!(pattern.examples.len() as u64, pattern.num_rows.min(10));
        for example in &pattern.examples {
            assert!(expression.as_ref().is_none_or(|expression| expression.is_match(&example.body)));
        }
        assert_eq!(pattern.sparkline.iter().sum::<u64>(), pattern.num_rows);
        assert_eq!(pattern.sparkline.len(), answer.buckets.len());
        assert_eq!(pattern.severity_counts.iter().map(|(_, count)| count).sum::<u64>(), pattern.num_rows);
        // A question each, so that some of many patterns stand for all.
        if pattern.match_patterns.is_empty() || place % answer.patterns.len().div_ceil(8) != 0 {
            continue;
        }
        let bodies = pattern.match_patterns.iter().map(|text| Scalar::Text(text.clone())).collect();
        let of_pattern = leaf(Namespace::Log, "pattern", Operator::Exact, Operand::Many(bodies));
        let mut narrowed = filter.clone();
        narrowed.properties.push(of_pattern);
        let found = corpus.context.count(&corpus.snapshot, &narrowed, range).await.unwrap();
        assert_eq!(found, pattern.num_rows, "{}", pattern.pattern);
    }
    check_bodies(&answer, &expected);
}

/// Of each pattern with all of its rows among the examples, every other number.
fn check_bodies(answer: &PatternsAnswer, expected: &[&Row]) {
    let mut by_key = BTreeMap::new();
    for row in expected {
        by_key.entry((row.timestamp_us, row.body.as_str())).or_insert_with(Vec::new).push(*row);
    }
    for pattern in &answer.patterns {
        for example in &pattern.examples {
            let rows = &by_key[&(example.timestamp_us, example.body.as_str())];
            let is_row =
                |row: &&Row| (row.severity, &row.service) == (&example.severity_text, &example.service_name);
            assert!(rows.iter().any(is_row), "{example:?}");
            if let Some(literal) = &pattern.match_literal {
                assert!(example.body.contains(literal), "{literal} in {example:?}");
            }
        }
        let newest = pattern.examples.iter().map(|example| example.timestamp_us).max();
        assert_eq!(pattern.last_seen_us, newest);
        if pattern.num_rows <= 10 {
            let oldest = pattern.examples.iter().map(|example| example.timestamp_us).min();
            assert_eq!(pattern.first_seen_us, oldest);
            let errors = pattern.examples.iter().filter(|example| example.severity_text == "error").count();
            assert_eq!(pattern.error_rows, errors as u64);
        }
    }
}

/// A case asks dozens of questions.
fn few() -> ProptestConfig {
    let ProptestConfig { cases, .. } = config();
    ProptestConfig { cases: cases.div_ceil(4), ..config() }
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn patterns_count_every_row_once_wherever_it_lies(
        layout in with_bodies(),
        filter in filter(),
        (start_us, length_us) in (-25 * SECOND..45 * SECOND, 0..70 * SECOND),
    ) {
        let rows = layout_rows(&layout);
        let range = TimeRange { start_us, end_us: start_us + length_us };
        Runtime::new().unwrap().block_on(async {
            let corpus = Corpus::new(&layout.files, &layout.segments).await;
            let everything = TimeRange { start_us: -100 * SECOND, end_us: 100 * SECOND };
            check_patterns(&corpus, &rows, &LogFilter::default(), everything).await;
            check_patterns(&corpus, &rows, &filter, range).await;
            let in_one = Corpus::new(&[], &[rows]).await;
            let all = LogFilter::default();
            assert_eq!(patterns_of(&corpus, &all, everything).await, patterns_of(&in_one, &all, everything).await);

            // Both windows together are everything, and mined as one.
            let middle = TimeRange { end_us: 10 * SECOND, ..everything };
            let rest = TimeRange { start_us: 10 * SECOND, ..everything };
            let request = PatternsDiffRequest { filter: all.clone(), range: rest, baseline: middle, limit: 200 };
            let diff = corpus.context.patterns_diff(&corpus.snapshot, &request).await.unwrap();
            let counted: BTreeMap<String, u64> = diff
                .changes
                .iter()
                .map(|change| (change.summary.pattern.clone(), change.num_rows + change.baseline_rows))
                .collect();
            let together = patterns_of(&corpus, &all, everything).await;
            let together: BTreeMap<String, u64> =
                together.patterns.iter().map(|pattern| (pattern.pattern.clone(), pattern.num_rows)).collect();
            assert_eq!(counted, together);
        });
    }
}

#[tokio::test]
async fn what_is_beyond_the_bound_is_told() {
    const BOUND: u64 = 20_000;
    let letters = |mut number: u64| {
        let mut word = String::from("w");
        for _ in 0..5 {
            word.push(char::from(b'g' + (number % 20) as u8));
            number /= 20;
        }
        word
    };
    // One row of each word, and two of the ones that a bound would otherwise leave out.
    let words = (0..BOUND + 50).map(letters).chain((BOUND..BOUND + 50).map(letters));
    let rows: Vec<Row> = words.zip(1..).map(|(word, id)| Row::new(id, id as i64, &word)).collect();
    let corpus = Corpus::new(&[], &[rows]).await;
    let range = TimeRange { start_us: 0, end_us: SECOND };
    let answer = patterns_of(&corpus, &LogFilter::default(), range).await;
    assert_eq!((answer.total_rows, answer.rows_with_patterns), (BOUND + 100, BOUND + 50));
    assert_eq!((answer.patterns.len(), answer.omitted_patterns), (200, BOUND - 200));
    assert_eq!(answer.patterns[49].num_rows, 2);
    assert_eq!((answer.patterns[50].num_rows, answer.patterns[50].pattern.as_str()), (1, "wggggg"));
}
