//! Words against a plain search through all bodies.

use proptest::prelude::*;
use regex::RegexBuilder;

use super::rows::Row;
use super::{build, generous, open};
use crate::index::words::{BLOCK_ROWS, Needle};
use crate::index::{Absence, SidecarLimits, Words};

fn body() -> impl Strategy<Value = String> {
    let parts = [
        "time",
        "Timed",
        "out",
        "upstream",
        "\u{212A}elvin",
        "mi\u{17F}s",
        "x",
        " ",
        "-",
        "42",
        "dead",
        "\u{E4}",
        "timeout ",
        "ss",
    ];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..6).prop_map(|parts| parts.concat())
}

/// Bodies, each for so many rows in a row.
fn rows_of(bodies: &[(String, usize)]) -> Vec<Row> {
    let bodies = bodies.iter().flat_map(|(body, count)| std::iter::repeat_n(body, *count));
    bodies.map(|body| Row { body: body.clone(), ..Row::default() }).collect()
}

fn words_of(rows: &[Row]) -> Words {
    open(&build(rows, &generous())).words().present().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn blocks_are_those_of_a_search(
        bodies in prop::collection::vec((body(), 1..1500_usize), 1..12),
        needle in body(),
    ) {
        let rows = rows_of(&bodies);
        let words = words_of(&rows);
        prop_assert_eq!(words.num_rows(), rows.len() as u64);
        let found = RegexBuilder::new(&regex::escape(&needle)).case_insensitive(true).build().unwrap();
        if let Some(blocks) = words.blocks_with(&Needle::new(&needle)) {
            prop_assert!(blocks.windows(2).all(|pair| pair[0].block < pair[1].block));
            for (number, rows) in rows.chunks(BLOCK_ROWS as usize).enumerate() {
                let expected = rows.iter().filter(|row| found.is_match(&row.body)).count() as u64;
                let block = blocks.iter().find(|block| block.block as usize == number);
                prop_assert!(block.is_some() || expected == 0, "block {} of {:?}", number, needle);
                if let Some(known) = block.and_then(|block| block.num_rows) {
                    prop_assert_eq!(known, expected);
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_words_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), num_rows in 0..9000_u64) {
        if let Ok(words) = Words::decode(&bytes, num_rows) {
            prop_assert_eq!(Words::decode(&words.encode(), num_rows), Ok(words));
        }
    }
}

#[test]
fn a_part_of_one_word_is_counted() {
    let rows = rows_of(&[("request timeout".into(), 3000), ("timeouts".into(), 5), ("nothing".into(), 100)]);
    let words = words_of(&rows);
    let blocks = words.blocks_with(&Needle::new("meou")).unwrap();
    let known: Vec<Option<u64>> = blocks.iter().map(|block| block.num_rows).collect();
    assert_eq!(known, [Some(2048), None], "the second block has two such words");
    assert_eq!(words.blocks_with(&Needle::new("zanzibar")), Some(Vec::new()));
    assert_eq!(words.blocks_with(&Needle::new("42")), None);
}

#[test]
fn words_beyond_the_budget_are_none() {
    let rows: Vec<Row> =
        (0..20_000).map(|row: u32| Row { body: random_word(row), ..Row::default() }).collect();
    let limits = SidecarLimits { max_word_bytes: 1000, ..generous() };
    let sidecar = open(&build(&rows, &limits));
    assert_eq!(sidecar.words().absence(), Some(&Absence::OverBudget));
    let sidecar = open(&build(&rows, &generous()));
    assert_eq!(sidecar.words().absence(), Some(&Absence::AsLargeAsData));
}

/// A word of its own for each number.
fn random_word(mut number: u32) -> String {
    let mut word = "word".to_owned();
    while number > 0 {
        word.push(char::from(b'g' + (number % 16) as u8));
        number /= 16;
    }
    word
}
