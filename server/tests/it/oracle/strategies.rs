//! Random log records, drawn so that few values meet often: the same services, instants and texts that
//! [`requests`](super::requests) asks for.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::dates;
use super::sent::{Encoding, Group, Record, Value};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// When the tests ask, microseconds: in the middle of a minute, so that rounding shows. Data near it is
/// "recent" to relative ranges.
pub(super) const NOW: i64 = 1_765_924_400_500_000;

/// The beginning of that minute, which recent data hangs on.
const BASE: i64 = NOW - NOW % MINUTE;

/// Pieces of text with what goes wrong in text: letters whose case folding is special, wildcards of LIKE,
/// numbers, nothing.
const FRAGMENTS: [&str; 14] = [
    "error",
    "ERROR",
    "5 \u{212a}elvin",
    "kelvin",
    "pa\u{17f}sword",
    "PASSWORD",
    "\u{130}stanbul",
    "istanbul",
    "ΟΔΟΣ",
    "οδος",
    "50%off",
    "50ABCoff",
    "404",
    "",
];

/// Pieces that are drawn less often: wildcards and escapes of patterns, quotes, lines, other scripts.
const RARE_FRAGMENTS: [&str; 10] = [
    "a_b",
    "a\\b",
    "(a|b)",
    "it's \"quoted\"",
    "two\nlines",
    "日本 🦀",
    "οδοσ",
    "Straße",
    "STRASSE",
    "\u{1e9e}",
];

pub(super) const VERSIONS: [&str; 10] =
    ["1.2.3", "1.2.10", "1.10.0", "2.0.0-rc.1", "0.2.3", "0.2.30", "0.10.1", "0.0.4", "1.2", "10"];

pub(super) const NUMBERS: [&str; 12] =
    ["500", "500.0", "5e2", "404", "-0", "0", "0.5", "10", "9", "inf", "-12.25", "9007199254740993"];

pub(super) const PORTS: [&str; 4] = ["9", "10", "9090", "80a"];

/// Trace ids; the short one does not count as an id.
pub(super) const TRACE_IDS: [&[u8]; 4] = [
    &[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
    &[0xff; 16],
    &[0xab; 8],
    &[],
];

pub(super) const SPAN_IDS: [&[u8]; 4] =
    [&[0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10], &[1; 8], &[2; 16], &[]];

/// Names of a few services, or of more than a sparkline keeps apart.
pub(super) const SERVICES: [&str; 16] = [
    "api", "API", "", "web", "db", "svc-01", "svc-02", "svc-03", "svc-04", "svc-05", "svc-06", "svc-07",
    "svc-08", "svc-09", "svc-10", "Übung",
];

/// What one test stores.
#[derive(Clone, Debug)]
pub(super) struct Dataset {
    pub(super) requests: Vec<ExportRequest>,
}

/// One export request.
#[derive(Clone, Debug)]
pub(super) struct ExportRequest {
    pub(super) groups: Vec<Group>,
    pub(super) encoding: Encoding,
    /// Whether everything received so far is written to files afterwards.
    pub(super) flushes: bool,
}

pub(super) fn dataset() -> BoxedStrategy<Dataset> {
    vec(export_request(), 2..6).prop_map(|requests| Dataset { requests }).boxed()
}

fn export_request() -> impl Strategy<Value = ExportRequest> {
    let encoding = select(vec![Encoding::Protobuf, Encoding::Json, Encoding::JsonLines]);
    (vec(group(), 1..9), encoding, any::<bool>()).prop_map(|(groups, encoding, flushes)| ExportRequest {
        groups,
        encoding,
        flushes,
    })
}

fn group() -> impl Strategy<Value = Group> {
    let scope = option::of((select(vec!["http", "io.example.scope"]), select(vec!["1.0", "2.0.1"])));
    (resource(), scope, vec(record(), 1..6)).prop_map(|(resource, scope, records)| Group {
        resource,
        scope: scope.map(|(name, version)| (name.to_owned(), version.to_owned())),
        records,
    })
}

fn resource() -> impl Strategy<Value = Vec<(String, Value)>> {
    let service = prop_oneof![
        2 => select(&SERVICES[..5]).prop_map(|name| Some(text(name))),
        6 => select(SERVICES.to_vec()).prop_map(|name| Some(text(name))),
        1 => Just(None),
        1 => Just(Some(Value::Int(7))),
    ];
    let others = vec(
        prop_oneof![
            entry("host.name", select(vec!["node-1", "node-2", "Node-1", ""]).prop_map(text)),
            entry("port", select(PORTS.to_vec()).prop_map(text)),
            entry("port", Just(Value::Int(9090))),
            entry("version", select(VERSIONS.to_vec()).prop_map(text)),
            entry("started", date_text().prop_map(Value::Text)),
            entry("k8s.labels", fragment().prop_map(Value::Text)),
            entry("session.id", session_id()),
            entry("distinct_id", session_id()),
        ],
        0..4,
    );
    (service, others).prop_map(|(service, mut others)| {
        others.extend(service.map(|service| ("service.name".to_owned(), service)));
        others
    })
}

fn record() -> impl Strategy<Value = Record> {
    let times = (sent_time(), option::weighted(0.3, instant()));
    let severity = (severity_number(), severity_word());
    let ids = (select(TRACE_IDS.to_vec()), select(SPAN_IDS.to_vec()), event_name());
    (times, severity, option::weighted(0.9, body()), vec(attribute(), 0..6), ids).prop_map(
        |((time_nanos, observed), (severity_number, severity_text), body, attributes, ids)| Record {
            time_nanos,
            observed_nanos: observed.map_or(0, |micros| micros as u64 * 1000),
            severity_number,
            severity_text,
            body,
            attributes,
            trace_id: ids.0.to_vec(),
            span_id: ids.1.to_vec(),
            event_name: ids.2.to_owned(),
        },
    )
}

/// Nanoseconds, with a rest below a microsecond that the store cuts off; sometimes not sent.
fn sent_time() -> impl Strategy<Value = u64> {
    let sent = (instant(), 0..1000_u64).prop_map(|(micros, nanos)| micros as u64 * 1000 + nanos);
    prop_oneof![12 => sent, 1 => Just(0)]
}

/// An instant, microseconds: edges of minutes, hours, days and years, recent and long ago, and just beside.
pub(super) fn instant() -> impl Strategy<Value = i64> {
    let edges = prop_oneof![3 => select(recent_edges()), 2 => select(past_edges())];
    (edges, prop_oneof![4 => Just(0), 1 => -1_i64..=1, 1 => 0..90 * SECOND])
        .prop_map(|(edge, jitter)| edge + jitter)
}

fn recent_edges() -> Vec<i64> {
    let ago = [
        65 * SECOND,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        31 * MINUTE,
        58 * MINUTE,
        62 * MINUTE,
        3 * HOUR,
        25 * HOUR,
        3 * DAY,
        6 * DAY,
        20 * DAY,
        100 * DAY,
    ];
    let midnight = BASE.div_euclid(DAY) * DAY;
    ago.iter()
        .map(|ago| BASE - ago)
        .chain([midnight, midnight - DAY, midnight - 7 * DAY, BASE + 2 * DAY])
        .collect()
}

fn past_edges() -> Vec<i64> {
    let days = ["2001-09-09", "2019-12-31", "2020-01-01", "2024-02-29", "2024-03-01"];
    let hours = ["2024-02-29T11:59:59.999999Z", "2024-02-29T12:00:00Z", "2024-02-29T12:05:00Z"];
    days.iter().chain(&hours).map(|text| dates::absolute(text).expect("a time")).collect()
}

fn severity_number() -> impl Strategy<Value = i32> {
    prop_oneof![3 => Just(0), 4 => 1..=24, 1 => Just(30), 1 => Just(-1)]
}

fn severity_word() -> impl Strategy<Value = String> {
    let words = ["", "Warning", "ERROR", "err", "Crit", "dbug", "trace", "NOTICE", "information", "fatal"];
    select(words.to_vec()).prop_map(str::to_owned)
}

fn event_name() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "login", "a.very.long.event.name.that.has.more.than.fifty.characters"])
}

fn body() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => vec(fragment(), 0..4).prop_map(|fragments| Value::Text(fragments.join(" "))),
        4 => json_body().prop_map(Value::Text),
        1 => value(),
    ]
}

/// Bodies that are JSON, some of which name their severity.
fn json_body() -> impl Strategy<Value = String> {
    let key =
        select(vec!["level", "level", "severity", "severity", "log.level", "config.log_level", "Level"]);
    let level = select(vec!["\"ERROR\"", "\"Warn\"", "\"fatal\"", "\"notice\"", "3", "null"]);
    let pair = (key, level).prop_map(|(key, level)| format!("\"{key}\":{level}"));
    (vec(pair, 0..4), prop::bool::weighted(0.2)).prop_map(|(mut pairs, is_list)| {
        pairs.sort_by_key(|pair| key_of(pair).to_owned());
        pairs.dedup_by(|left, right| key_of(left) == key_of(right));
        pairs.reverse();
        let object = format!("{{{}}}", pairs.join(","));
        if is_list { format!("[{object}]") } else { object }
    })
}

fn key_of(pair: &str) -> &str {
    pair.split(':').next().unwrap_or_default()
}

fn attribute() -> BoxedStrategy<(String, Value)> {
    let any = prop_oneof![
        3 => entry("status", number_value()),
        2 => entry("duration", number_value()),
        1 => entry("flag", prop_oneof![any::<bool>().prop_map(Value::Bool), Just(text("true"))]),
        3 => entry("user.name", fragment().prop_map(Value::Text)),
        1 => entry("version", select(VERSIONS.to_vec()).prop_map(text)),
        1 => entry("when", date_text().prop_map(Value::Text)),
        1 => entry("mixed", value()),
        1 => entry("", fragment().prop_map(Value::Text)),
        1 => entry("sessionId", session_id()),
        1 => entry("session.id", session_id()),
        1 => entry("posthogDistinctId", session_id()),
        1 => entry("distinct_id", session_id()),
    ];
    any.boxed()
}

/// Ids of sessions and of users, some of which are not filled.
fn session_id() -> impl Strategy<Value = Value> {
    let texts = select(vec!["s1", "s2", "S1", "nobody's", "s3", "s4", " ", ""]).prop_map(text);
    prop_oneof![4 => texts, 1 => Just(Value::Int(7))]
}

fn number_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![0, 9, 10, 404, 500, -7, i64::MAX]).prop_map(Value::Int),
        select(vec![0.5, -12.25, 99.75, 1e-3]).prop_map(Value::Double),
        select(NUMBERS.to_vec()).prop_map(text),
        select(vec!["ok", "", "nan", "500 ms"]).prop_map(text),
    ]
}

/// Every kind of value. Keys of maps are sorted, since their order in text is not promised.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        fragment().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        (-3..1000_i64).prop_map(Value::Int),
        select(vec![0.5, -2.75]).prop_map(Value::Double),
    ];
    let nested = leaf.clone().prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            (inner.clone(), inner).prop_map(|(first, second)| {
                Value::Map(vec![("a".to_owned(), first), ("b\"".to_owned(), second)])
            }),
        ]
    });
    prop_oneof![leaf, nested]
}

/// Times as text, in several forms, and text that is none.
pub(super) fn date_text() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (instant(), date_form()).prop_map(|(micros, form)| format_time(micros, form)),
        1 => Just("2024-02-29".to_owned()),
        1 => Just("no date".to_owned()),
    ]
}

/// How a time is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum DateForm {
    Zulu,
    Offset,
    Naive,
}

pub(super) fn date_form() -> impl Strategy<Value = DateForm> {
    select(vec![DateForm::Zulu, DateForm::Offset, DateForm::Naive])
}

pub(super) fn format_time(micros: i64, form: DateForm) -> String {
    let format = |micros: i64, pattern: &str| {
        chrono::DateTime::from_timestamp_micros(micros).expect("a time").format(pattern).to_string()
    };
    match form {
        DateForm::Zulu => format(micros, "%Y-%m-%dT%H:%M:%S%.6fZ"),
        DateForm::Offset => format(micros + 2 * HOUR, "%Y-%m-%dT%H:%M:%S%.6f+02:00"),
        DateForm::Naive => format(micros, "%Y-%m-%d %H:%M:%S%.6f"),
    }
}

pub(super) fn fragment() -> impl Strategy<Value = String> {
    let any = prop_oneof![3 => select(FRAGMENTS.to_vec()), 1 => select(RARE_FRAGMENTS.to_vec())];
    any.prop_map(str::to_owned)
}

fn entry(key: &'static str, value: impl Strategy<Value = Value>) -> impl Strategy<Value = (String, Value)> {
    value.prop_map(move |value| (key.to_owned(), value))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
