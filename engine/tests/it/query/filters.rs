//! What conditions mean: a table of leaves and the rows they keep.

use engine::error::ErrorKind;
use engine::query::TimeRange;
use engine::query::filter::{FilterContext, MAX_FILTER_DEPTH, MAX_FILTER_LEAVES, MAX_PATTERNS, translate};
use engine::query::model::{
    FilterLeaf, FilterNode, Join, LogFilter, LogQuery, Namespace, Operand, Operator, Order, Scalar,
};

use super::corpus::{Corpus, Row};

pub(crate) const ALL_TIME: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

pub(crate) fn text(text: &str) -> Operand {
    Operand::One(Scalar::Text(text.into()))
}

pub(crate) fn list(texts: &[&str]) -> Operand {
    Operand::Many(texts.iter().map(|text| Scalar::Text((*text).into())).collect())
}

pub(crate) fn leaf(namespace: Namespace, key: &str, operator: Operator, operand: Operand) -> FilterNode {
    let path = "filterGroup.values[0]".to_owned();
    FilterNode::Leaf(FilterLeaf { path, key: key.into(), namespace, operator, operand })
}

fn number(value: f64) -> Operand {
    Operand::One(Scalar::Number { value, text: value.to_string() })
}

fn rows() -> Vec<Row> {
    let hour_us = 3_600_000_000;
    let mut rows = vec![
        Row::new(1, hour_us, "GET /cart 500 Kelvin")
            .with_attributes(&[("status", "500"), ("url", "/cart/404"), ("at", "1970-01-01T02:00:00Z")])
            .with_resource(&[("host", "a"), ("cpu", "10"), ("version", "1.2.3")]),
        Row::new(2, 2 * hour_us, "get /CART 404 \u{212A}elvin")
            .with_attributes(&[("status", "5e2"), ("url", "/index"), ("at", "1970-1-1")])
            .with_resource(&[("host", "b"), ("cpu", "9"), ("version", "v1.3")]),
        Row::new(3, 3 * hour_us, "50%off (sale) \u{130}").with_attributes(&[
            ("status", "unknown"),
            ("empty", ""),
            ("flag", "true"),
        ]),
        Row::new(4, 4 * hour_us, "").with_attributes(&[("status", "404")]),
    ];
    rows[0].severity = "error";
    rows[0].severity_number = 17;
    rows[0].service = "web".into();
    rows[0].trace_id = [1; 16];
    rows[0].span_id = [0xFE; 8];
    rows[1].service = "Web".into();
    rows[1].fingerprint = u64::MAX;
    rows[1].event_name = "login".into();
    rows[2].severity = "unknown";
    rows[2].fingerprint = u64::MAX - 1;
    rows[3].bytes = 300;
    rows
}

/// Rows in a file and in a segment, so that both kinds of arrays are tested.
async fn corpus() -> Corpus {
    let (file, segment) = rows().into_iter().partition(|row| row.uuid % 2 == 1);
    Corpus::new(&[file], &[segment]).await
}

async fn kept(corpus: &Corpus, filter: LogFilter) -> Vec<u128> {
    let query = LogQuery {
        filter: filter.clone(),
        range: ALL_TIME,
        order: Order::Earliest,
        limit: 100,
        after: None,
        ingested_from_us: None,
        attributes: Default::default(),
    };
    let page = corpus.context.rows(&corpus.snapshot, &query).await.unwrap();
    let kept: Vec<u128> = page.rows.iter().map(|row| row.uuid.as_u128()).collect();
    let count = corpus.context.count(&corpus.snapshot, &filter, ALL_TIME).await.unwrap();
    assert_eq!(count, kept.len() as u64, "{filter:?}");
    kept
}

#[track_caller]
fn assert_kept(filter: &LogFilter, kept: &[u128], expected: &[u128]) {
    assert_eq!(kept, expected, "{filter:?}");
}

/// Each line: where, key, operator, operand, the ids of the rows it keeps.
type Line<'a> = (&'a str, Operator, Operand, &'a [u128]);

async fn check(namespace: Namespace, lines: &[Line<'_>]) {
    let corpus = corpus().await;
    for (key, operator, operand, expected) in lines {
        let properties = vec![leaf(namespace, key, *operator, operand.clone())];
        let filter = LogFilter { properties, ..LogFilter::default() };
        assert_kept(&filter, &kept(&corpus, filter.clone()).await, expected);
    }
}

#[tokio::test]
async fn attributes_compare_as_numbers_when_operands_are() {
    use Operator as Op;
    check(
        Namespace::LogAttribute,
        &[
            ("status", Op::Exact, text("500"), &[1, 2]),
            ("status", Op::Exact, number(500.0), &[1, 2]),
            ("status", Op::Exact, list(&["500.0"]), &[1, 2]),
            ("status", Op::Exact, list(&["500", "404"]), &[1, 2, 4]),
            ("status", Op::Exact, list(&["500", "unknown"]), &[1, 3]),
            ("status", Op::IsNot, text("500"), &[3, 4]),
            ("status", Op::IsNot, text("5e2"), &[3, 4]),
            ("status", Op::In, list(&["404", "x"]), &[4]),
            ("status", Op::NotIn, list(&["404", "x"]), &[1, 2, 3]),
            ("status", Op::Gt, text("450"), &[1, 2]),
            ("status", Op::Gte, text("404"), &[1, 2, 4]),
            ("status", Op::Lt, number(450.0), &[4]),
            ("status", Op::Lte, list(&["0", "404"]), &[4]),
            ("status", Op::Gt, text("5e"), &[2, 3]),
            ("status", Op::Between, list(&["404", "499"]), &[4]),
            ("status", Op::NotBetween, list(&["404", "499"]), &[1, 2, 3]),
            ("status", Op::Exact, text("nan"), &[]),
            ("status", Op::IsNot, text("nan"), &[1, 2, 3, 4]),
            ("flag", Op::Exact, Operand::One(Scalar::Bool(true)), &[3]),
            ("flag", Op::Exact, text("TRUE"), &[]),
            ("nothing", Op::Exact, text("x"), &[]),
            ("nothing", Op::IsNot, text("x"), &[1, 2, 3, 4]),
        ],
    )
    .await;
}

#[tokio::test]
async fn text_operators_search_the_text_of_attributes() {
    use Operator as Op;
    check(
        Namespace::LogAttribute,
        &[
            ("url", Op::Icontains, text("404"), &[1]),
            ("url", Op::Icontains, text("CART"), &[1]),
            ("url", Op::Icontains, list(&["cart", "INDEX"]), &[1, 2]),
            ("url", Op::IcontainsMulti, list(&["index"]), &[2]),
            ("url", Op::NotIcontains, text("cart"), &[2, 3, 4]),
            ("url", Op::NotIcontainsMulti, list(&["cart", "index"]), &[3, 4]),
            ("url", Op::Regex, text("^/c.*[0-9]$"), &[1]),
            ("url", Op::Regex, text("404"), &[1]),
            ("url", Op::Regex, text("CART"), &[]),
            ("url", Op::NotRegex, list(&["cart", "index"]), &[3, 4]),
            ("url", Op::StartsWith, text("/c"), &[1]),
            ("url", Op::NotStartsWith, text("/c"), &[2, 3, 4]),
            ("url", Op::EndsWith, list(&["ex", "404"]), &[1, 2]),
            ("url", Op::NotEndsWith, text("ex"), &[1, 3, 4]),
        ],
    )
    .await;
}

#[tokio::test]
async fn presence_needs_no_value_and_other_leaves_without_one_say_nothing() {
    use Operator as Op;
    let all: &[u128] = &[1, 2, 3, 4];
    check(
        Namespace::LogAttribute,
        &[
            ("url", Op::IsSet, Operand::Absent, &[1, 2]),
            ("url", Op::IsSet, text("is_set"), &[1, 2]),
            ("url", Op::IsNotSet, list(&[]), &[3, 4]),
            ("empty", Op::IsSet, Operand::Absent, &[3]),
            ("url", Op::Exact, Operand::Absent, all),
            ("url", Op::Exact, text(""), all),
            ("url", Op::IsNot, list(&[]), all),
            ("url", Op::Icontains, list(&[]), all),
            ("url", Op::Regex, list(&[""]), all),
            ("status", Op::Exact, number(0.0), &[]),
        ],
    )
    .await;
    check(
        Namespace::LogResourceAttribute,
        &[
            ("host", Op::IsSet, Operand::Absent, &[1, 2]),
            ("host", Op::IsNotSet, Operand::Absent, &[3, 4]),
            ("host", Op::Exact, Operand::Absent, all),
            ("host", Op::Exact, list(&[]), all),
            ("host", Op::Icontains, list(&[]), &[]),
            ("host", Op::NotIcontains, list(&[]), all),
            ("host", Op::Icontains, text(""), &[1, 2]),
        ],
    )
    .await;
}

#[tokio::test]
async fn resource_attributes_compare_as_text() {
    use Operator as Op;
    check(
        Namespace::LogResourceAttribute,
        &[
            ("host", Op::Exact, text("a"), &[1]),
            ("host", Op::IsNot, text("a"), &[2, 3, 4]),
            ("cpu", Op::Exact, text("10.0"), &[]),
            ("cpu", Op::Lt, text("9"), &[1]),
            ("cpu", Op::Gt, text("0"), &[1, 2]),
            ("version", Op::SemverGte, text("1.2.4"), &[2]),
            ("version", Op::SemverTilde, text("1.2"), &[1]),
            ("version", Op::SemverCaret, text("1.0"), &[1, 2]),
            ("version", Op::SemverWildcard, text("1.2.*"), &[1]),
            ("version", Op::SemverNeq, text("1.2.3"), &[2]),
        ],
    )
    .await;
}

#[tokio::test]
async fn dates_compare_as_instants() {
    use Operator as Op;
    check(
        Namespace::LogAttribute,
        &[
            ("at", Op::IsDateExact, text("1970-01-01 04:00:00+02:00"), &[1]),
            ("at", Op::IsDateBefore, text("1970-01-01T00:00:01"), &[2]),
            ("at", Op::IsDateAfter, text("1969-12-31"), &[1, 2]),
            ("at", Op::IsDateBefore, text("-7d"), &[1, 2]),
            ("at", Op::IsDateAfter, text("-7d"), &[]),
            ("url", Op::IsDateBefore, text("-7d"), &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn columns_are_found_by_their_names() {
    use Operator as Op;
    let all: &[u128] = &[1, 2, 3, 4];
    check(
        Namespace::Log,
        &[
            ("message", Op::Icontains, text("KELVIN"), &[1, 2]),
            ("body", Op::Icontains, text("50%OFF"), &[3]),
            ("message", Op::Icontains, text("\u{131}"), &[]),
            ("message", Op::Exact, text(""), &[4]),
            ("message", Op::IsNot, list(&["", "50%off (sale) \u{130}"]), &[1, 2]),
            ("message", Op::Regex, text("(?i)^get /cart"), &[1, 2]),
            ("message", Op::NotRegex, text("^get"), &[1, 3, 4]),
            ("message", Op::StartsWith, text("GET"), &[1]),
            ("message", Op::IsSet, Operand::Absent, all),
            ("message", Op::IsNotSet, Operand::Absent, &[]),
            ("severity_level", Op::Exact, text("error"), &[1]),
            ("severity_level", Op::Icontains, list(&["info", "unknown"]), &[2, 3, 4]),
            ("severity_level", Op::IsNot, list(&["info", "unknown"]), &[1]),
            ("severity_level", Op::Exact, list(&[]), all),
            ("severity_text", Op::Icontains, text("ERR"), &[1]),
            ("service_name", Op::Exact, text("web"), &[1]),
            ("service_name", Op::Icontains, text("web"), &[1, 2]),
            ("service_name", Op::NotIcontains, text("web"), &[3, 4]),
            ("service_name", Op::Exact, text(""), all),
            ("event_name", Op::Exact, text(""), &[1, 3, 4]),
            ("severity_number", Op::Gte, number(17.0), &[1]),
            ("severity_number", Op::Between, list(&["0", "1"]), &[2, 3, 4]),
            ("severity_number", Op::Icontains, text("7"), &[1]),
            ("bytes_uncompressed", Op::Gt, text("299.5"), &[4]),
            ("resource_fingerprint", Op::Exact, text("18446744073709551615"), &[2]),
            ("timestamp", Op::IsDateAfter, text("1970-01-01T03:00:00Z"), &[4]),
            ("timestamp", Op::Lte, text("1970-01-01T02:00:00Z"), &[1, 2]),
            ("uuid", Op::Exact, text("00000000-0000-0000-0000-000000000003"), &[3]),
        ],
    )
    .await;
}

#[tokio::test]
async fn ids_are_hexadecimal_or_base64() {
    use Operator as Op;
    let hex = "01".repeat(16);
    check(
        Namespace::Log,
        &[
            ("trace_id", Op::Exact, text(&hex), &[1]),
            ("trace_id", Op::Exact, text("AQEBAQEBAQEBAQEBAQEBAQ=="), &[1]),
            ("trace_id", Op::In, list(&[&hex, "0".repeat(32).as_str()]), &[1, 2, 3, 4]),
            ("trace_id", Op::IsNot, text(&hex), &[2, 3, 4]),
            ("trace_id", Op::Exact, text("nonsense"), &[]),
            ("trace_id", Op::IsNot, text("nonsense"), &[1, 2, 3, 4]),
            ("span_id", Op::Exact, text("fEfEfefefefefefe"), &[1]),
            ("span_id", Op::Exact, text("/v7+/v7+/v4="), &[1]),
        ],
    )
    .await;
}

#[tokio::test]
async fn fields_of_a_filter_hold_together() {
    let corpus = corpus().await;
    let check = async |filter: LogFilter, expected: &[u128]| {
        assert_kept(&filter, &kept(&corpus, filter.clone()).await, expected);
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    check(LogFilter::default(), &[1, 2, 3, 4]).await;
    check(LogFilter { severity_levels: names(&["error", "fatal"]), ..LogFilter::default() }, &[1]).await;
    check(LogFilter { service_names: names(&["", "Web"]), ..LogFilter::default() }, &[2, 3, 4]).await;
    check(LogFilter { search_term: "(SALE)".into(), ..LogFilter::default() }, &[3]).await;
    check(LogFilter { search_term: "%".into(), ..LogFilter::default() }, &[3]).await;
    check(LogFilter { resource_fingerprint: Some(u64::MAX), ..LogFilter::default() }, &[2]).await;
    let both =
        LogFilter { severity_levels: names(&["info"]), search_term: "c".into(), ..LogFilter::default() };
    check(both, &[2]).await;
}

#[tokio::test]
async fn groups_honour_their_connective() {
    let corpus = corpus().await;
    let has = |key: &str| leaf(Namespace::LogAttribute, key, Operator::IsSet, Operand::Absent);
    let says_nothing = || leaf(Namespace::LogAttribute, "url", Operator::Exact, Operand::Absent);
    let group = |join, nodes: Vec<FilterNode>| FilterNode::Group { join, nodes };
    let check = async |properties: Vec<FilterNode>, expected: &[u128]| {
        let filter = LogFilter { properties, ..LogFilter::default() };
        assert_kept(&filter, &kept(&corpus, filter.clone()).await, expected);
    };
    check(vec![group(Join::Or, vec![has("url"), has("flag")])], &[1, 2, 3]).await;
    check(vec![group(Join::And, vec![has("url"), has("flag")])], &[]).await;
    check(vec![group(Join::Or, vec![says_nothing(), has("flag")])], &[3]).await;
    check(vec![group(Join::Or, vec![says_nothing()])], &[1, 2, 3, 4]).await;
    let nested = group(Join::And, vec![has("status"), group(Join::Or, vec![has("flag"), has("at")])]);
    check(vec![nested, has("url")], &[1, 2]).await;
}

#[track_caller]
fn refused(filter: LogFilter, kind: ErrorKind, part_of_message: &str) {
    let error = translate(&filter, &FilterContext { now_us: 0 }).expect_err(part_of_message);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(part_of_message), "{error}");
}

fn one(namespace: Namespace, key: &str, operator: Operator, operand: Operand) -> LogFilter {
    LogFilter { properties: vec![leaf(namespace, key, operator, operand)], ..LogFilter::default() }
}

#[test]
fn conditions_that_mean_nothing_are_refused_by_name() {
    use Namespace::{Log, LogAttribute};
    use Operator as Op;
    let path = "filterGroup.values[0]: ";
    for (namespace, key, operator, operand, message) in [
        (Log, "nothing", Op::Exact, text("x"), "there is no column \"nothing\""),
        (Log, "attributes", Op::Exact, text("x"), "there is no column \"attributes\""),
        (Log, "trace_id", Op::Icontains, text("x"), "\"trace_id\" can only be compared for equality"),
        (Log, "timestamp", Op::Regex, text("x"), "\"timestamp\" is a time"),
        (Log, "timestamp", Op::Exact, text("soon"), "\"soon\" is neither a date nor a relative time"),
        (Log, "severity_number", Op::Gt, text("x"), "\"x\" is not a number"),
        (Log, "message", Op::Regex, text("("), "the pattern \"(\" cannot be compiled"),
        (LogAttribute, "a", Op::Regex, list(&["a", "["]), "the pattern \"[\" cannot be compiled"),
        (LogAttribute, "a", Op::Between, text("1"), "needs [min, max], not 1 values"),
        (LogAttribute, "a", Op::Between, list(&["2", "1"]), "min \"2\" is not below max \"1\""),
        (LogAttribute, "a", Op::NotBetween, list(&["1", "b"]), "are not both numbers"),
        (LogAttribute, "a", Op::Between, list(&["nan", "1"]), "is not below"),
        (LogAttribute, "a", Op::Between, Operand::Absent, "needs [min, max], not 0 values"),
        (LogAttribute, "a", Op::In, text("x"), "needs a list"),
        (LogAttribute, "a", Op::IsDateBefore, text("later"), "\"later\" is neither"),
        (LogAttribute, "a", Op::IsDateBefore, list(&["-1d", "-2d"]), "needs one date, not 2"),
        (LogAttribute, "a", Op::SemverGt, text("new"), "\"new\" is not a semantic version"),
    ] {
        let filter = one(namespace, key, operator, operand);
        refused(filter.clone(), ErrorKind::InvalidRequest, path);
        refused(filter, ErrorKind::InvalidRequest, message);
    }
}

#[test]
fn filters_are_bounded() {
    let many = |count: usize| vec![leaf(Namespace::Log, "message", Operator::Exact, text("x")); count];
    let filter = |properties| LogFilter { properties, ..LogFilter::default() };
    assert!(translate(&filter(many(MAX_FILTER_LEAVES)), &FilterContext { now_us: 0 }).is_ok());
    refused(filter(many(MAX_FILTER_LEAVES + 1)), ErrorKind::LimitExceeded, "more than 1000 conditions");
    let nest = |depth: usize| {
        let innermost = leaf(Namespace::Log, "message", Operator::Exact, text("x"));
        (0..depth).fold(innermost, |node, _| FilterNode::Group { join: Join::And, nodes: vec![node] })
    };
    assert!(translate(&filter(vec![nest(MAX_FILTER_DEPTH - 1)]), &FilterContext { now_us: 0 }).is_ok());
    refused(filter(vec![nest(MAX_FILTER_DEPTH)]), ErrorKind::LimitExceeded, "deeper than 16");
    let patterns = Operand::Many(vec![Scalar::Text("x".into()); MAX_PATTERNS + 1]);
    let searching = one(Namespace::LogAttribute, "a", Operator::IcontainsMulti, patterns);
    refused(searching, ErrorKind::LimitExceeded, "more than 100 texts");
    let long = LogFilter { search_term: "x".repeat(3000), ..LogFilter::default() };
    refused(long, ErrorKind::LimitExceeded, "searchTerm: a text of 3000 bytes");
}
