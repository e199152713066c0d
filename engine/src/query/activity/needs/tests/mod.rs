//! No entry that passes a test is left out, and others are.

mod json;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringDictionaryBuilder, UInt32Array, new_null_array};
use arrow::array::{StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use serde_json::{Number, Value};
use uuid::Uuid;

use self::json::{paths, rewritten, text, value};
use super::EntryNeeds;
use crate::index::words::Needle;
use crate::index::{Sidecar, SidecarBuilder, SidecarLimits};
use crate::query::activity::detail::{DetailPath, DetailTest, DetailTests, DetailValue, spaced};
use crate::query::filter::{BodyTest, IdTest, TextSearch};
use crate::schema::{Dataset, UTC, activity, activity_schema, columns};

/// An entry with a detail.
fn row(detail: &str) -> RecordBatch {
    let word = |text: &str| -> ArrayRef {
        let mut words = StringDictionaryBuilder::<Int32Type>::new();
        words.append_value(text);
        Arc::new(words.finish())
    };
    let schema = activity_schema();
    let columns = schema.fields().iter().map(|field| {
        let column: ArrayRef = match field.name().as_str() {
            columns::TIMESTAMP => Arc::new(TimestampMicrosecondArray::from_value(0, 1).with_timezone(UTC)),
            activity::SCOPE => word("Role"),
            activity::ACTIVITY => word("created"),
            activity::DETAIL => Arc::new(StringViewArray::from_iter_values([detail])),
            columns::BYTES_UNCOMPRESSED => Arc::new(UInt32Array::from_value(1, 1)),
            _ => new_null_array(field.data_type(), 1),
        };
        (field.name(), column, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn sidecar_of(detail: &str) -> Sidecar {
    let limits = SidecarLimits::of(Dataset::Activity);
    let mut builder = SidecarBuilder::of(Dataset::Activity, &limits);
    builder.add(&row(detail)).unwrap();
    let built = builder.finish(Uuid::from_u128(1), 1).unwrap();
    Sidecar::open(&"x.sidecar".into(), built.bytes).unwrap()
}

/// Whether a sidecar lets its only entry be tested.
fn is_left(sidecar: &Sidecar, needs: &EntryNeeds) -> bool {
    let words = sidecar.words().present().unwrap();
    let ids = sidecar.ids().present().unwrap();
    let has = |needle: &Needle| words.blocks_with(needle).is_none_or(|blocks| !blocks.is_empty());
    let of_words = |test: &BodyTest| test.alternatives.iter().any(|group| group.iter().all(has));
    let of_ids = |test: &IdTest| {
        ids.stretches_with(test.source(), &test.ids()).is_none_or(|stretches| !stretches.is_empty())
    };
    needs.words.iter().all(of_words) && needs.ids.iter().all(of_ids)
}

fn test_of(value: &Value, is_contained: bool, cut: (usize, usize), other: String) -> DetailTest {
    if is_contained {
        let text = match value {
            Value::String(text) => text.clone(),
            other => spaced(other),
        };
        let chars: Vec<char> = text.chars().collect();
        let start = cut.0 % (chars.len() + 1);
        let end = start + cut.1 % (chars.len() - start + 1);
        let part: String = chars[start..end].iter().collect();
        return DetailTest::Contains(if cut.0.is_multiple_of(2) { part.to_uppercase() } else { part });
    }
    let same = match value {
        Value::String(text) => Some(DetailValue::Text(text.clone())),
        Value::Number(number) => Some(DetailValue::Number(other_form(number))),
        Value::Bool(flag) => Some(DetailValue::Bool(*flag)),
        _ => None,
    };
    DetailTest::IsAny(same.into_iter().chain([DetailValue::Text(other)]).collect())
}

/// An equal number: whole ones as fractions.
fn other_form(number: &Number) -> Number {
    let as_float = number.as_i64().filter(|whole| whole.abs() < 1 << 50).map(|whole| whole as f64);
    as_float.and_then(Number::from_f64).unwrap_or_else(|| number.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn whatever_passes_a_test_is_left(
        detail in value(),
        every in 1_usize..9,
        cases in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), (0_usize..40, 0_usize..40), text()), 1..8),
    ) {
        let mut found = Vec::new();
        paths(&detail, "", &mut found);
        let spaced = spaced(&detail);
        for written in [spaced.clone(), detail.to_string(), rewritten(&spaced, every)] {
            prop_assert!(serde_json::from_str::<Value>(&written).is_ok(), "{}", written);
            let sidecar = sidecar_of(&written);
            for (index, is_contained, cut, other) in &cases {
                let Some((path, value)) = (!found.is_empty()).then(|| index.get(&found)) else { continue };
                let Ok(path) = DetailPath::parse(path) else { continue };
                let tests = [(path, test_of(value, *is_contained, *cut, other.clone()))];
                let needs = EntryNeeds::of_tests(&tests);
                let holds = DetailTests::new(&tests).unwrap().hold(&written);
                prop_assert!(!holds || is_left(&sidecar, &needs), "{:?} in {}", tests, written);
            }
            for (.., cut, other) in &cases {
                let chars: Vec<char> = written.chars().collect();
                let start = cut.0 % (chars.len() + 1);
                let end = (start + cut.1).min(chars.len());
                for needle in [chars[start..end].iter().collect::<String>(), other.clone()] {
                    let holds = TextSearch::new("x", &needle).unwrap().is_in(&written);
                    let is_left = is_left(&sidecar, &EntryNeeds::of_text(&needle));
                    prop_assert!(!holds || is_left, "{:?} in {}", needle, written);
                }
            }
        }
    }
}

#[test]
fn what_no_detail_has_is_left_out() {
    let sidecar = sidecar_of(r#"{"name": "Check it", "changes": [{"field": "enabled", "after": 42.0}]}"#);
    let is_left = |needs: EntryNeeds| is_left(&sidecar, &needs);
    let test = |path: &str, test: DetailTest| {
        is_left(EntryNeeds::of_tests(&[(DetailPath::parse(path).unwrap(), test)]))
    };
    let text = |text: &str| DetailTest::IsAny(vec![DetailValue::Text(text.to_owned())]);
    let number = |number: i64| DetailTest::IsAny(vec![DetailValue::Number(number.into())]);
    assert!(
        is_left(EntryNeeds::of_text("HECK IT\", \"changes")) && !is_left(EntryNeeds::of_text("zanzibar"))
    );
    assert!(test("name", text("Check it")) && !test("name", text("check it")));
    assert!(test("name", DetailTest::Contains("eck".to_owned())));
    assert!(!test("name", DetailTest::Contains("deck".to_owned())));
    assert!(!test("absent", text("Check it")), "nothing has such a member");
    assert!(test("changes[].after", number(42)) && !test("changes[].after", number(43)));
    assert!(test("changes.0.field", text("enabled")));
}
