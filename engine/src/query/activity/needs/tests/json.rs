//! Details of any shape, and the same ones in other words.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const TEXTS: [&str; 18] = [
    "",
    "name",
    "Enabled rule",
    "a \"quoted\" word",
    "back\\slash\\nine",
    "tab\there\nline",
    "\u{1}control",
    "\u{212A}elvin mi\u{17F}s",
    "käse ÄRGER",
    "true",
    "42",
    "user@shop.example",
    "{\"json\": [1, true]}",
    "signup-7k5t",
    "\u{1F600}smile",
    "/slash/es",
    "0190-abc-feed",
    "null",
];

pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => "[a-zA-Z\"\\\\\n\u{1}ſKé /]{0,8}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => text().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => select(vec![json!(0), json!(-0.0), json!(42), json!(42.0), json!(3.25), json!(1e20), json!(u64::MAX)]),
        1 => Just(Value::Null),
    ]
}

fn member_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(&["name", "changes", "field", "after", "0", "K", "weird\"key", "ta\tb"][..])
            .prop_map(str::to_owned),
        1 => "[a-zA-Zé\"\\\\]{1,5}",
    ]
}

pub(super) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member_name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Every path of a value with what is there, as far as paths can say it.
pub(super) fn paths(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let joined = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            found.push((joined(name), member.clone()));
            paths(member, &joined(name), found);
        }),
        Value::Array(elements) => elements.iter().enumerate().for_each(|(index, element)| {
            found.push((joined(&index.to_string()), element.clone()));
            paths(element, &joined(&index.to_string()), found);
            if !path.is_empty() {
                found.push((format!("{path}[]"), element.clone()));
                paths(element, &format!("{path}[]"), found);
            }
        }),
        _ => {}
    }
}

/// The same JSON in other words: some letters by their numbers, more room, slashes escaped.
pub(super) fn rewritten(text: &str, every: usize) -> String {
    let mut out = String::new();
    let (mut is_text, mut is_escaped) = (false, false);
    // Behind `\u` four digits follow, which are no letters of the text.
    let mut num_digits = 0;
    for (index, char) in text.chars().enumerate() {
        if num_digits > 0 {
            num_digits -= 1;
            out.push(char);
            continue;
        }
        match char {
            '"' if !is_escaped => is_text = !is_text,
            'u' if is_escaped => num_digits = 4,
            ',' | ':' if !is_text => out.push_str(" \n"),
            '/' if is_text && !is_escaped => out.push('\\'),
            _ => {}
        }
        let is_letter = is_text && !is_escaped && !matches!(char, '"' | '\\' | '/');
        match is_letter && index.is_multiple_of(every) {
            true => {
                let mut units = [0; 2];
                let units = char.encode_utf16(&mut units);
                units.iter().for_each(|unit| out.push_str(&format!("\\u{unit:04X}")));
            }
            false => out.push(char),
        }
        is_escaped = char == '\\' && !is_escaped;
    }
    out
}
