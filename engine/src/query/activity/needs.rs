//! What a condition on entries needs of them, so that entries which cannot have it need not be tested.
//!
//! What is said here is only ever less than what the condition says: an entry that meets the condition has all of it.
//! Details are JSON text. The letters of a text stand in it as they are, apart from those behind a backslash; a text that
//! is looked for is therefore written as JSON before it is cut into words, as the details were. A sidecar has the words
//! of details as they are stored and, where a letter is written as its number there, as this program writes them too.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::prelude::Expr;

use super::detail::{DetailPath, DetailTest, DetailValue};
use super::text_test;
use crate::index::ids::{DETAIL_VALUES, ID_COLUMNS, number_in_detail, text_in_detail};
use crate::index::words::Needle;
use crate::query::filter::{BodyTest, IdTest};
use crate::schema::activity;

/// What an entry must have to meet a condition; all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::query) struct EntryNeeds {
    /// Words in its detail.
    pub(in crate::query) words: Vec<BodyTest>,
    /// Ids.
    pub(in crate::query) ids: Vec<IdTest>,
}

impl EntryNeeds {
    /// Those of a condition.
    pub(in crate::query) fn of(condition: &Expr) -> Self {
        let mut needs = Self::default();
        needs.add(condition);
        needs
    }

    fn add(&mut self, condition: &Expr) {
        for part in split_conjunction(condition) {
            match part {
                Expr::IsTrue(inner) => self.add(inner),
                Expr::ScalarFunction(_) => {
                    if let Some(needs) = text_test::needs_of(part) {
                        self.words.extend(needs.words.iter().cloned());
                        self.ids.extend(needs.ids.iter().cloned());
                    }
                }
                _ => self.ids.extend(column_test(part)),
            }
        }
    }

    /// Those of details that contain a text, in whatever they are written in.
    pub(super) fn of_text(text: &str) -> Self {
        Self { words: Vec::from_iter(words_test([vec![Needle::new(text)]])), ids: Vec::new() }
    }

    /// Those of details that pass tests.
    pub(super) fn of_tests(tests: &[(DetailPath, DetailTest)]) -> Self {
        let words = tests.iter().filter_map(|(path, test)| words_test(alternatives(path, test)));
        let ids = tests.iter().filter_map(|(_, test)| match test {
            DetailTest::IsAny(values) => values_test(values),
            DetailTest::Contains(_) => None,
        });
        Self { words: words.collect(), ids: ids.collect() }
    }
}

/// The texts of which a detail that passes a test has all of one group.
fn alternatives(path: &DetailPath, test: &DetailTest) -> Vec<Vec<Needle>> {
    // Names of members stand between quotes. A number of an element has no letters, and says nothing here.
    let names: Vec<Needle> = path.names().map(|name| Needle::new(&quoted(name))).collect();
    let with_names = |needle: Needle| names.iter().cloned().chain([needle]).collect::<Vec<_>>();
    match test {
        DetailTest::IsAny(values) => values
            .iter()
            .map(|value| match value {
                DetailValue::Text(text) => with_names(Needle::new(&quoted(text))),
                DetailValue::Bool(flag) => with_names(Needle::new(&format!(" {flag} "))),
                DetailValue::Number(_) => names.clone(),
            })
            .collect(),
        DetailTest::Contains(text) => {
            // The value is a text, or its own JSON is searched, which is a part of the detail's.
            let escaped = quoted(text);
            let escaped = escaped.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
            let mut groups = vec![with_names(Needle::new(escaped))];
            if escaped != text {
                groups.push(with_names(Needle::new(text)));
            }
            groups
        }
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// None where some group has no word that is known, so that it says nothing.
fn words_test(groups: impl IntoIterator<Item = Vec<Needle>>) -> Option<BodyTest> {
    let alternatives: Vec<Vec<Needle>> = groups.into_iter().collect();
    let says_something = |group: &Vec<Needle>| group.iter().any(Needle::is_known);
    let is_test = !alternatives.is_empty() && alternatives.iter().all(says_something);
    is_test.then_some(BodyTest { alternatives, is_contained: false })
}

/// The values of which a detail must have one; none when others do as well.
fn values_test(values: &[DetailValue]) -> Option<IdTest> {
    let ids = values.iter().map(|value| match value {
        DetailValue::Text(text) => Some(text_in_detail(text)),
        DetailValue::Number(number) => Some(number_in_detail(number)),
        DetailValue::Bool(_) => None,
    });
    IdTest::of_column(DETAIL_VALUES, ids.collect::<Option<Vec<_>>>()?)
}

/// The ids of which an entry must have one, by a comparison of a column.
fn column_test(part: &Expr) -> Option<IdTest> {
    let (column, values) = match part {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => match (&*binary.left, &*binary.right) {
            (Expr::Column(column), value) | (value, Expr::Column(column)) => (column, vec![value]),
            _ => return None,
        },
        Expr::InList(list) if !list.negated => match &*list.expr {
            Expr::Column(column) => (column, list.list.iter().collect()),
            _ => return None,
        },
        _ => return None,
    };
    let name = *ID_COLUMNS.iter().find(|name| **name == column.name)?;
    let ids = values.into_iter().map(|value| id_of(name, value));
    IdTest::of_column(name, ids.collect::<Option<Vec<_>>>()?)
}

/// The id that a value of a column is; none when it is of another type, or no value at all.
fn id_of(column: &str, value: &Expr) -> Option<Vec<u8>> {
    let Expr::Literal(value, _) = value else { return None };
    let is_number = matches!(column, activity::PROJECT_ID | activity::USER_ID);
    match value {
        ScalarValue::Int64(Some(number)) if is_number => Some(number.to_le_bytes().to_vec()),
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) if !is_number => {
            Some(text.as_bytes().to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringDictionaryBuilder, UInt32Array, new_null_array};
    use arrow::array::{StringViewArray, TimestampMicrosecondArray};
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Map, Number, Value, json};
    use uuid::Uuid;

    use super::super::detail::DetailTests;
    use super::*;
    use crate::index::{Sidecar, SidecarBuilder, SidecarLimits};
    use crate::query::filter::TextSearch;
    use crate::schema::{Dataset, UTC, activity_schema, columns};

    /// An entry with a detail.
    fn row(detail: &str) -> RecordBatch {
        let word = |text: &str| -> ArrayRef {
            let mut words = StringDictionaryBuilder::<Int32Type>::new();
            words.append_value(text);
            Arc::new(words.finish())
        };
        let of_sidecar = [
            columns::TIMESTAMP,
            activity::PROJECT_ID,
            activity::USER_ID,
            activity::WAS_IMPERSONATED,
            activity::CLIENT,
            activity::SCOPE,
            activity::ACTIVITY,
            activity::ITEM_ID,
            activity::DETAIL,
            columns::BYTES_UNCOMPRESSED,
        ];
        let columns = of_sidecar.map(|name| {
            let column: ArrayRef = match name {
                columns::TIMESTAMP => {
                    Arc::new(TimestampMicrosecondArray::from_value(0, 1).with_timezone(UTC))
                }
                activity::SCOPE => word("Role"),
                activity::ACTIVITY => word("created"),
                activity::DETAIL => Arc::new(StringViewArray::from_iter_values([detail])),
                columns::BYTES_UNCOMPRESSED => Arc::new(UInt32Array::from_value(1, 1)),
                name => new_null_array(activity_schema().field_with_name(name).unwrap().data_type(), 1),
            };
            (name, column)
        });
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
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

    fn text() -> impl Strategy<Value = String> {
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

    fn value() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(member_name(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// Every path of a value with what is there, as far as paths can say it.
    fn paths(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
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
    fn rewritten(text: &str, every: usize) -> String {
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

    fn test_of(value: &Value, is_contained: bool, cut: (usize, usize), other: String) -> DetailTest {
        if is_contained {
            let text = match value {
                Value::String(text) => text.clone(),
                other => super::super::detail::spaced(other),
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
            let spaced = super::super::detail::spaced(&detail);
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

    #[test]
    fn comparisons_of_columns_need_ids() {
        use datafusion::prelude::{ident, lit};
        let num_ids = |condition: Expr| EntryNeeds::of(&condition).ids.len();
        let scope = || ident(activity::SCOPE);
        let user = || ident(activity::USER_ID);
        assert_eq!(num_ids(scope().eq(lit("Role"))), 1);
        assert_eq!(num_ids(lit(3_i64).eq(user()).and(scope().in_list(vec![lit("a"), lit("b")], false))), 2);
        assert_eq!(num_ids(scope().eq(lit("a")).and(user().eq(lit(3_i64))).is_true()), 2);
        for said in [
            scope().not_eq(lit("a")),
            scope().in_list(vec![lit("a")], true),
            scope().eq(lit("a")).or(user().eq(lit(3_i64))),
            scope().eq(lit("a")).is_not_true(),
            user().eq(lit("3")),
            user().in_list(vec![lit(3_i64), user()], false),
            user().in_list(vec![], false),
            scope().eq(lit(ScalarValue::Utf8(None))),
            ident(activity::SEQUENCE).eq(lit(3_i64)),
            scope().eq(ident(activity::ACTIVITY)),
        ] {
            assert_eq!(EntryNeeds::of(&said), EntryNeeds::default(), "{said}");
        }
    }
}
