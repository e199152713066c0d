//! Property: answers over files and memory, with pruning, equal those of plain DataFusion over all rows in
//! one batch, and those of a row-at-a-time evaluation that shares no code with the filter translator.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use engine::query::filter::{FilterContext, in_range, translate};
use engine::query::model::{
    AttributeMaps, Breakdown, FilterNode, Join, LogFilter, LogQuery, Namespace, Operand, Operator, Order,
    RankBy, Scalar,
};
use engine::query::{LowerBound, ResolvedRange, SparklineRequest, TimeRange};
use engine::schema::logs_schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Row, batch};
use super::filters::leaf;
use super::oracle::passes;

pub(super) const SECOND: i64 = 1_000_000;

fn value() -> impl Strategy<Value = String> {
    let values =
        ["", "a", "A", "ab", "500", "500.0", "5e2", "-1", "nan", "true", "k\u{212A}", "\u{130}x", "%", "z"];
    select(values.to_vec()).prop_map(str::to_owned)
}

fn entries() -> impl Strategy<Value = Vec<(String, String)>> {
    let keys = select(["a", "b.c", "k1", "k2"].as_slice()).prop_map(str::to_owned);
    let few = proptest::collection::btree_map(keys, value(), 0..4);
    // Enough entries for the binary search.
    let many = vec(value(), 20).prop_map(|values| {
        let named = values.into_iter().enumerate().map(|(index, value)| (format!("k{index}"), value));
        named.collect::<BTreeMap<String, String>>()
    });
    prop_oneof![9 => few, 1 => many].prop_map(|entries| entries.into_iter().collect())
}

fn row() -> impl Strategy<Value = Row> {
    let severity = select(["trace", "info", "error", "unknown"].as_slice());
    let service = select(["", "web", "Web", "db", "\u{17F}ervice"].as_slice());
    let body = vec(value(), 0..4).prop_map(|words| words.join(" "));
    let time = prop_oneof![-20 * SECOND..40 * SECOND, Just(0), Just(SECOND)];
    (time, severity, service, body, entries(), entries(), 0..3_u64, 0..1000_u32, 0..10_i64).prop_map(
        |(timestamp_us, severity, service, body, attributes, resource, fingerprint, bytes, ingested_us)| {
            Row {
                timestamp_us,
                ingested_us,
                severity,
                service: service.to_owned(),
                body,
                attributes,
                resource,
                fingerprint,
                bytes,
                ..Row::default()
            }
        },
    )
}

/// Rows with ids, cut into files and segments.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) files: Vec<Vec<Row>>,
    pub(super) segments: Vec<Vec<Row>>,
}

pub(super) fn layout() -> impl Strategy<Value = Layout> {
    let parts = || vec(vec(row(), 0..70), 0..4);
    (parts(), parts()).prop_map(|(mut files, mut segments)| {
        // Ids do not follow time, so that both parts of the order matter.
        let rows = files.iter_mut().chain(&mut segments).flatten();
        rows.enumerate()
            .for_each(|(index, row)| row.uuid = (index as u128).wrapping_mul(0x9E37_79B9) % 0xFFFF_FFFB);
        Layout { files, segments }
    })
}

fn operand() -> impl Strategy<Value = Operand> {
    let scalar = || {
        prop_oneof![
            4 => value().prop_map(|text| Scalar::Text(if text.is_empty() { "b".into() } else { text })),
            1 => Just(Scalar::Number { value: 500.0, text: "500".into() }),
            1 => Just(Scalar::Bool(true)),
        ]
    };
    prop_oneof![scalar().prop_map(Operand::One), vec(scalar(), 1..4).prop_map(Operand::Many)]
}

fn property() -> impl Strategy<Value = FilterNode> {
    use Operator as Op;
    let attribute_operators = [
        Op::Exact,
        Op::IsNot,
        Op::Icontains,
        Op::NotIcontains,
        Op::IsSet,
        Op::IsNotSet,
        Op::Gt,
        Op::Lte,
        Op::StartsWith,
        Op::NotEndsWith,
    ];
    let namespace = select([Namespace::LogAttribute, Namespace::LogResourceAttribute].as_slice());
    let keys = select(["a", "b.c", "k1", "k15", "none"].as_slice());
    let attribute = (namespace, keys, select(attribute_operators.to_vec()), operand());
    let attribute =
        attribute.prop_map(|(namespace, key, operator, operand)| leaf(namespace, key, operator, operand));
    let column_operators = [Op::Exact, Op::IsNot, Op::Icontains, Op::NotIcontains, Op::IsSet, Op::StartsWith];
    let columns = select(["message", "service_name"].as_slice());
    let column = (columns, select(column_operators.to_vec()), operand())
        .prop_map(|(key, operator, operand)| leaf(Namespace::Log, key, operator, operand));
    let severity = (select([Op::Exact, Op::IsNot].as_slice()), select(["error", "info", "none"].as_slice()))
        .prop_map(|(operator, name)| {
            leaf(Namespace::Log, "severity_level", operator, Operand::One(Scalar::Text(name.into())))
        });
    let leaf = prop_oneof![4 => attribute, 2 => column, 1 => severity];
    leaf.prop_recursive(2, 8, 3, |inner| {
        (prop_oneof![Just(Join::And), Just(Join::Or)], vec(inner, 1..4))
            .prop_map(|(join, nodes)| FilterNode::Group { join, nodes })
    })
}

pub(super) fn filter() -> impl Strategy<Value = LogFilter> {
    let names = |names: &'static [&'static str]| vec(select(names).prop_map(str::to_owned), 0..3);
    let fingerprint = prop_oneof![4 => Just(None), 1 => (0..3_u64).prop_map(Some)];
    let term = prop_oneof![2 => Just(String::new()), 1 => value()];
    (names(&["info", "error"]), names(&["", "web", "db"]), term, vec(property(), 0..3), fingerprint).prop_map(
        |(severity_levels, service_names, search_term, properties, resource_fingerprint)| LogFilter {
            severity_levels,
            service_names,
            search_term,
            properties,
            resource_fingerprint,
        },
    )
}

pub(super) fn time_range() -> impl Strategy<Value = TimeRange> {
    let bound =
        || prop_oneof![-25 * SECOND..45 * SECOND, Just(0), Just(SECOND), Just(i64::MIN), Just(i64::MAX)];
    (bound(), bound()).prop_map(|(start_us, end_us)| TimeRange { start_us, end_us })
}

pub(super) fn layout_rows(layout: &Layout) -> Vec<Row> {
    layout.files.iter().chain(&layout.segments).flatten().cloned().collect()
}

/// The same condition over all rows in one batch, without our table.
async fn plain_count(rows: &[Row], filter: &LogFilter, range: TimeRange) -> u64 {
    let table = MemTable::try_new(logs_schema(), vec![vec![batch(rows)]]).unwrap();
    let condition = in_range(range).and(translate(filter, &FilterContext { now_us: 0 }).unwrap());
    let query = SessionContext::new().read_table(Arc::new(table)).unwrap().filter(condition).unwrap();
    query.count().await.unwrap() as u64
}

pub(super) fn matching<'a>(rows: &'a [Row], filter: &LogFilter, range: TimeRange) -> Vec<&'a Row> {
    let in_range = |row: &Row| range.start_us <= row.timestamp_us && row.timestamp_us < range.end_us;
    let mut rows: Vec<&Row> = rows.iter().filter(|row| in_range(row) && passes(row, filter)).collect();
    rows.sort_by_key(|row| (row.timestamp_us, row.uuid));
    rows
}

pub(super) async fn check_count(corpus: &Corpus, rows: &[Row], filter: &LogFilter, range: TimeRange) {
    let expected = matching(rows, filter, range).len() as u64;
    assert_eq!(plain_count(rows, filter, range).await, expected, "plain DataFusion");
    assert_eq!(corpus.context.count(&corpus.snapshot, filter, range).await.unwrap(), expected, "count");
}

pub(super) async fn check_pages(
    corpus: &Corpus,
    rows: &[Row],
    filter: &LogFilter,
    range: TimeRange,
    limit: usize,
) {
    let mut expected: Vec<u128> = matching(rows, filter, range).iter().map(|row| row.uuid).collect();
    for order in [Order::Earliest, Order::Latest] {
        let mut query = LogQuery {
            filter: filter.clone(),
            range,
            order,
            limit,
            after: None,
            ingested_from_us: None,
            attributes: AttributeMaps::Included,
        };
        let mut seen = Vec::new();
        loop {
            let page = corpus.context.rows(&corpus.snapshot, &query).await.unwrap();
            assert!(page.rows.len() == limit || !page.has_more, "a short page");
            for row in &page.rows {
                let stored = rows.iter().find(|stored| stored.uuid == row.uuid.as_u128()).unwrap();
                assert_eq!((&row.body, &row.attributes), (&stored.body, &stored.attributes));
                seen.push(row.uuid.as_u128());
            }
            let Some(cursor) = page.next_cursor else { break };
            query.after = Some(cursor);
        }
        assert_eq!(seen, expected, "{order:?}");
        expected.reverse();
    }
}

/// Counts and bytes by bucket and series, for ranges of up to 150 s, whose buckets are a second.
pub(super) async fn check_sparkline(
    corpus: &Corpus,
    rows: &[Row],
    filter: &LogFilter,
    from_us: i64,
    to_us: i64,
) {
    let range = ResolvedRange { from: LowerBound::At(from_us), to_us, interval_to_us: to_us };
    let request = SparklineRequest {
        filter: filter.clone(),
        range,
        breakdown: Breakdown::Service,
        rank_by: RankBy::Bytes,
    };
    let entries = corpus.context.sparkline(&corpus.snapshot, &request).await.unwrap();
    let mut expected = BTreeMap::new();
    let mut bucket = from_us.div_euclid(SECOND);
    let last = (to_us.div_euclid(SECOND) - 1).max(bucket);
    while bucket <= last && from_us <= to_us {
        let range = TimeRange { start_us: bucket * SECOND, end_us: (bucket + 1) * SECOND };
        let rows = matching(rows, filter, range);
        if rows.is_empty() {
            expected.insert((bucket * SECOND, "(no value)".to_owned()), (0, 0));
        }
        for row in rows {
            let name = if row.service.is_empty() { "(no value)" } else { &row.service };
            let cell = expected.entry((bucket * SECOND, name.to_owned())).or_insert((0, 0));
            *cell = (cell.0 + 1, cell.1 + u64::from(row.bytes));
        }
        bucket += 1;
    }
    let found: Vec<_> = entries
        .into_iter()
        .map(|entry| ((entry.time_us, entry.series), (entry.count, entry.bytes_uncompressed)))
        .collect();
    assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
}

/// `TIMBERLINE_PROPERTY_CASES` runs more.
pub(super) fn config() -> ProptestConfig {
    let cases = std::env::var("TIMBERLINE_PROPERTY_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(24), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_way_to_ask_agrees_with_every_oracle(
        layout in layout(),
        questions in vec((filter(), time_range(), 20..150_usize, -25 * SECOND..45 * SECOND, 0..60 * SECOND), 1..4),
    ) {
        let rows = layout_rows(&layout);
        Runtime::new().unwrap().block_on(async {
            let corpus = Corpus::new(&layout.files, &layout.segments).await;
            for (filter, range, limit, from_us, length_us) in &questions {
                check_count(&corpus, &rows, filter, *range).await;
                check_pages(&corpus, &rows, filter, *range, *limit).await;
                check_sparkline(&corpus, &rows, filter, *from_us, from_us + length_us).await;
            }
        });
    }
}
