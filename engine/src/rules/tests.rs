//! What drop rules decide about decoded rows.

use super::*;
use crate::ingest::{DecodedLogs, RecordLimits, decode_datadog_json};
use crate::query::model::{FilterLeaf, FilterNode, LogFilter, Namespace, Operand, Operator, Scalar};

fn decode(json: &str) -> DecodedLogs {
    decode_datadog_json(json.as_bytes(), &[], 1_000, &RecordLimits::default()).unwrap()
}

fn filter(key: &str, value: &str) -> LogFilter {
    let leaf = FilterLeaf {
        path: "filter_group[0]".into(),
        key: key.into(),
        namespace: Namespace::LogAttribute,
        operator: Operator::Exact,
        operand: Operand::One(Scalar::Text(value.into())),
    };
    LogFilter { properties: vec![FilterNode::Leaf(leaf)], ..LogFilter::default() }
}

fn rules(actions: Vec<SamplingAction>) -> SamplingRules {
    let rule = |(version, action)| SamplingRule { id: "r".into(), version, scope: None, action };
    SamplingRules::compile((0..).zip(actions).map(rule).collect(), None).unwrap()
}

fn sample(share: f64) -> SamplingAction {
    let levels = [None, Some(LevelAction::Sample(share)), None, None];
    SamplingAction::BySeverity { levels, always_keep: None }
}

#[test]
fn about_a_share_of_rows_without_a_trace_is_kept() {
    let logs = decode(&format!("[{}]", vec![r#"{"a":1}"#; 4_000].join(",")));
    let kept = rules(vec![sample(0.25)]).apply(logs.clone(), 0).unwrap().num_rows();
    // Twenty standard deviations.
    assert!((450..1_550).contains(&kept), "{kept}");
    assert_eq!(rules(vec![sample(0.0)]).apply(logs.clone(), 0).unwrap().num_rows(), 0);
    assert_eq!(rules(vec![sample(1.0)]).apply(logs, 0).unwrap().num_rows(), 4_000);
}

#[test]
fn nothing_of_a_dropped_row_stays_in_the_batch() {
    let logs = decode(
        r#"[{"message":"a body that is kept and long enough","service":"kept"},
            {"message":"a body that is dropped and long enough","service":"dropped","event.name":"dropped","k":"dropped"}]"#,
    );
    let rules = rules(vec![SamplingAction::Drop { any_of: vec![filter("k", "dropped")] }]);
    let kept = rules.apply(logs, 0).unwrap();
    assert_eq!(kept.num_rows(), 1);
    let mut bytes = Vec::new();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &kept.rows().schema()).unwrap();
    writer.write(kept.rows()).unwrap();
    writer.finish().unwrap();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(has(b"kept") && !has(b"dropped"));
}

#[test]
fn a_rule_of_the_same_version_keeps_its_tokens() {
    let limit = RateLimit { per_second: 1.0, burst: 2.0, counts_bytes: false };
    let rule = |version| SamplingRule {
        id: "r".into(),
        version,
        scope: None,
        action: SamplingAction::RateLimit { filter: None, limit },
    };
    let logs = decode(r#"[{"a":1},{"a":1},{"a":1}]"#);
    let before = SamplingRules::compile(vec![rule(1)], None).unwrap();
    assert_eq!(before.apply(logs.clone(), 0).unwrap().num_rows(), 2);
    let same = SamplingRules::compile(vec![rule(1)], Some(&before)).unwrap();
    assert_eq!(same.apply(logs.clone(), 1_000_000).unwrap().num_rows(), 1);
    let changed = SamplingRules::compile(vec![rule(2)], Some(&same)).unwrap();
    assert_eq!(changed.apply(logs, 1_000_000).unwrap().num_rows(), 2);
}

#[test]
fn rules_without_rows_and_rows_without_rules_are_untouched() {
    let logs = decode(r#"{"a":1}"#);
    assert_eq!(SamplingRules::default().apply(logs.clone(), 0).unwrap().rows(), logs.rows());
    assert_eq!(rules(vec![sample(0.0)]).apply(decode("[]"), 0).unwrap().num_rows(), 0);
}
