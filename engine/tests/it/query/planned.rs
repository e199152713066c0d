//! Property: answers that are put together from the catalog, from sidecars and from rows equal those of a scan of
//! all rows, which are in memory for that.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use engine::query::model::{
    Breakdown, FilterNode, Join, LogFilter, Namespace, Operand, Operator, RankBy, Scalar,
};
use engine::query::{
    AttributeKeysRequest, AttributeSource, CountRangesRequest, Facet, FacetsRequest, ListRange, LowerBound,
    QueryCost, ResolvedRange, SearchIn, ServicesRequest, SparklineRequest, TimeRange, ValuesRequest,
    with_cost,
};
use engine::retention::{CompiledRetention, RetentionCutoff, RetentionPolicy};
use object_store::ObjectStoreExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Row};
use super::filters::leaf;
use super::properties::{SECOND, config, layout, layout_rows, time_range};

const DAY: i64 = 86_400 * SECOND;
const EVERYTHING: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };
const LIST: ListRange = ListRange { offset: 0, limit: 1000 };

/// Conditions that services and severities decide.
fn cell_property() -> impl Strategy<Value = FilterNode> {
    use Operator as Op;
    let operators = [
        Op::Exact,
        Op::IsNot,
        Op::Icontains,
        Op::NotIcontains,
        Op::Regex,
        Op::IsSet,
        Op::IsNotSet,
        Op::StartsWith,
        Op::NotEndsWith,
        Op::Gt,
        Op::Lte,
    ];
    let keys = select(["service_name", "severity_text", "level", "pattern_version"].as_slice());
    let values = select(["", "web", "Web", "e", "info", "error", "db", "s", "1"].as_slice());
    let free = (keys, select(operators.to_vec()), values).prop_filter_map(
        "an operator that the column knows",
        |(key, operator, value)| {
            let is_known = key != "pattern_version" || matches!(operator, Op::Exact | Op::IsNot | Op::Gt);
            let value = if key == "pattern_version" { "1" } else { value };
            is_known
                .then(|| leaf(Namespace::Log, key, operator, Operand::One(Scalar::Text(value.to_owned()))))
        },
    );
    let severity = (select([Op::Exact, Op::IsNot].as_slice()), select(["error", "info", "none"].as_slice()))
        .prop_map(|(operator, name)| {
            leaf(Namespace::Log, "severity_level", operator, Operand::One(Scalar::Text(name.into())))
        });
    prop_oneof![2 => free, 1 => severity].prop_recursive(2, 6, 3, |inner| {
        (prop_oneof![Just(Join::And), Just(Join::Or)], vec(inner, 1..4))
            .prop_map(|(join, nodes)| FilterNode::Group { join, nodes })
    })
}

fn cell_filter() -> impl Strategy<Value = LogFilter> {
    let names = |names: &'static [&'static str]| vec(select(names).prop_map(str::to_owned), 0..3);
    let some = (names(&["info", "error"]), names(&["", "web", "db"]), vec(cell_property(), 0..2)).prop_map(
        |(severity_levels, service_names, properties)| LogFilter {
            severity_levels,
            service_names,
            properties,
            ..LogFilter::default()
        },
    );
    prop_oneof![1 => Just(LogFilter::default()), 3 => some]
}

#[derive(Clone, Debug)]
struct Question {
    filter: LogFilter,
    range: TimeRange,
    /// For questions about time buckets, which are as wide as the range is long.
    bounds: ResolvedRange,
    target_buckets: u64,
}

fn question() -> impl Strategy<Value = Question> {
    let from = prop_oneof![3 => (-25 * SECOND..45 * SECOND).prop_map(LowerBound::At), 1 => Just(LowerBound::Earliest)];
    let length = prop_oneof![0..60 * SECOND, 0..3000 * SECOND];
    (cell_filter(), time_range(), from, length, 1..60_u64).prop_map(
        |(filter, range, from, length_us, target_buckets)| {
            let to_us = match from {
                LowerBound::At(us) => us + length_us,
                LowerBound::Earliest => length_us,
            };
            let bounds = ResolvedRange { from, to_us, interval_to_us: to_us };
            Question { filter, range, bounds, target_buckets }
        },
    )
}

/// Whatever can be put together, asked of both.
async fn check(planned: &Corpus, scanned: &Corpus, question: &Question) {
    let Question { filter, range, bounds, target_buckets } = question.clone();
    macro_rules! agree {
        ($method:ident, $($request:expr),+) => {{
            let found = planned.context.$method(&planned.snapshot, $($request),+).await.unwrap();
            let expected = scanned.context.$method(&scanned.snapshot, $($request),+).await.unwrap();
            assert_eq!(found, expected, stringify!($method));
        }};
    }
    agree!(count, &filter, range);
    let asked = CountRangesRequest { filter: filter.clone(), range: bounds, target_buckets };
    agree!(count_ranges, &asked);
    for (breakdown, rank_by) in [(Breakdown::Severity, RankBy::Count), (Breakdown::Service, RankBy::Bytes)] {
        agree!(sparkline, &SparklineRequest { filter: filter.clone(), range: bounds, breakdown, rank_by });
    }
    let limit = NonZeroUsize::new(3).unwrap();
    agree!(services, &ServicesRequest { filter: filter.clone(), range: bounds, limit, max_sparklines: 2 });
    let attribute = |key: &str, source| Facet::Attribute { source, key: key.to_owned() };
    let facets = vec![
        Facet::Severity,
        Facet::Service,
        attribute("a", AttributeSource::Record),
        attribute("k1", AttributeSource::Resource),
        attribute("none", AttributeSource::Record),
    ];
    for search in ["", "e"] {
        let request = FacetsRequest {
            filter: filter.clone(),
            scope: Vec::new(),
            range,
            facets: facets.clone(),
            search: search.to_owned(),
            limit: 5,
        };
        agree!(facets, &request);
        let facet = facets[2].clone();
        let (filter, search) = (filter.clone(), search.to_owned());
        let list = ListRange { offset: 1, limit: 2 };
        let request = ValuesRequest { filter, range, facet, search, list };
        agree!(values, &request);
    }
    for (source, search_in) in
        [(AttributeSource::Record, SearchIn::Keys), (AttributeSource::Resource, SearchIn::KeysAndValues)]
    {
        for search in ["", "k"] {
            agree!(attribute_keys, &keys_request(filter.clone(), range, source, search, search_in));
        }
    }
}

fn keys_request(
    filter: LogFilter,
    range: TimeRange,
    source: AttributeSource,
    search: &str,
    search_in: SearchIn,
) -> AttributeKeysRequest {
    let keys = BTreeSet::new();
    AttributeKeysRequest { filter, range, source, search: search.to_owned(), search_in, keys, list: LIST }
}

fn cutoff(days: Option<u32>, now_us: i64) -> Arc<RetentionCutoff> {
    let retention = CompiledRetention::new(RetentionPolicy::of_days(days)).unwrap();
    Arc::new(RetentionCutoff::new(Arc::new(retention), now_us))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_parts_add_up_to_what_a_scan_finds(
        layout in layout(),
        expiry in prop_oneof![Just(None), (-21 * SECOND..12 * SECOND).prop_map(Some)],
        questions in vec(question(), 1..4),
    ) {
        let rows = layout_rows(&layout);
        Runtime::new().unwrap().block_on(async {
            let mut planned = Corpus::new(&layout.files, &layout.segments).await;
            let mut scanned = Corpus::new(&[], &[rows]).await;
            for corpus in [&mut planned, &mut scanned] {
                corpus.snapshot.retention = expiry.map(|us| cutoff(Some(1), DAY + us));
            }
            for question in &questions {
                check(&planned, &scanned, question).await;
            }
        });
    }
}

/// The second file has a fine sidecar; its rows are a second apart.
async fn corpus() -> Corpus {
    let file = |number: u128| {
        let row = |id: u128| {
            let service = if id.is_multiple_of(2) { "web" } else { "db" };
            let row =
                Row::new(number * 1000 + id, id as i64 * SECOND, "x").with_attributes(&[("k", service)]);
            Row { service: service.to_owned(), ..row }
        };
        (0..60).map(row).collect::<Vec<_>>()
    };
    let mut corpus = Corpus::new(&[file(0), file(1)], &[]).await;
    let with_sidecar = Arc::clone(&corpus.snapshot.files[1]);
    assert!(with_sidecar.sidecar_bytes > 0);
    corpus.snapshot.files = Arc::new(vec![with_sidecar]);
    corpus
}

fn of_service(name: &str) -> LogFilter {
    LogFilter { service_names: vec![name.to_owned()], ..LogFilter::default() }
}

async fn cost_of_count(corpus: &Corpus, filter: &LogFilter, range: TimeRange) -> (u64, QueryCost) {
    let (count, cost) = with_cost(corpus.context.count(&corpus.snapshot, filter, range)).await;
    (count.unwrap(), QueryCost { elapsed_us: 0, ..cost })
}

#[tokio::test]
async fn the_cost_tells_which_source_answered() {
    let corpus = corpus().await;
    let (count, cost) = cost_of_count(&corpus, &LogFilter::default(), EVERYTHING).await;
    assert_eq!((count, cost), (60, QueryCost { questions: 1, facts: 1, ..QueryCost::default() }));

    let (count, cost) = cost_of_count(&corpus, &of_service("web"), EVERYTHING).await;
    assert!(cost.bytes > 0, "the sidecar was read");
    assert_eq!(
        (count, cost),
        (30, QueryCost { questions: 1, sidecars: 1, bytes: cost.bytes, ..QueryCost::default() })
    );
    let (_, again) = cost_of_count(&corpus, &of_service("web"), EVERYTHING).await;
    assert_eq!(again.bytes, 0, "and kept");

    // Two seconds are cut, and a page has ten rows.
    let cut = TimeRange { start_us: SECOND / 2, end_us: 40 * SECOND + 1 };
    let (count, cost) = cost_of_count(&corpus, &of_service("web"), cut).await;
    assert_eq!((count, cost.sidecars, cost.scanned), (20, 1, 1));
    assert!((1..=30).contains(&cost.rows), "{cost}");

    let by_body = LogFilter { search_term: "x".to_owned(), ..LogFilter::default() };
    let (count, cost) = cost_of_count(&corpus, &by_body, EVERYTHING).await;
    assert_eq!((count, cost.sidecars, cost.scanned, cost.rows), (60, 0, 1, 60));
}

#[tokio::test]
async fn keys_and_values_of_whole_files_are_known_unread() {
    let corpus = corpus().await;
    let facet = Facet::Attribute { source: AttributeSource::Record, key: "k".to_owned() };
    let values = |filter: LogFilter| {
        let (facet, search) = (facet.clone(), String::new());
        ValuesRequest { filter, range: EVERYTHING, facet, search, list: LIST }
    };
    let (found, cost) =
        with_cost(corpus.context.values(&corpus.snapshot, &values(LogFilter::default()))).await;
    assert_eq!((found.unwrap().len(), cost.sidecars, cost.scanned), (2, 1, 0));
    let (found, cost) = with_cost(corpus.context.values(&corpus.snapshot, &values(of_service("db")))).await;
    assert_eq!((found.unwrap().len(), cost.sidecars, cost.scanned), (1, 1, 1), "it says where rows may be");
    let (found, cost) = with_cost(corpus.context.values(&corpus.snapshot, &values(of_service("none")))).await;
    assert_eq!((found.unwrap().len(), cost.sidecars, cost.scanned), (0, 1, 0));
    let keys = keys_request(LogFilter::default(), EVERYTHING, AttributeSource::Record, "", SearchIn::Keys);
    let (found, cost) = with_cost(corpus.context.attribute_keys(&corpus.snapshot, &keys)).await;
    assert_eq!((found.unwrap().total, cost.sidecars, cost.scanned), (1, 1, 0));
}

#[tokio::test]
async fn of_a_file_that_is_cut_a_little_only_what_is_cut_off_is_read() {
    let corpus = corpus().await;
    let facet = Facet::Attribute { source: AttributeSource::Record, key: "k".to_owned() };
    // A page has ten rows, a second apart. Rows are cut off at one end, at the other, at both, and most of them.
    for (start, end, num_rows) in [(3, 60, 57), (0, 58, 58), (5, 55, 50), (1, 60, 59), (50, 60, 10)] {
        let range = TimeRange { start_us: start * SECOND, end_us: end * SECOND };
        let (facet, search) = (facet.clone(), String::new());
        let values = ValuesRequest { filter: LogFilter::default(), range, facet, search, list: LIST };
        let (found, cost) = with_cost(corpus.context.values(&corpus.snapshot, &values)).await;
        let found = found.unwrap();
        assert_eq!(found.iter().map(|value| value.count).sum::<u64>(), num_rows, "{start}..{end}");
        assert!(cost.scanned == 1 && cost.rows <= 20, "{start}..{end}: {cost}");
        assert_eq!(cost.sidecars, u64::from(start < 50), "{start}..{end}: {cost}");
        let keys = keys_request(LogFilter::default(), range, AttributeSource::Record, "", SearchIn::Keys);
        let (found, cost) = with_cost(corpus.context.attribute_keys(&corpus.snapshot, &keys)).await;
        assert_eq!(found.unwrap().keys[0].count, num_rows, "{start}..{end}");
        assert!(cost.rows <= 20, "{start}..{end}: {cost}");
    }
}

#[tokio::test]
async fn a_sidecar_that_is_damaged_or_missing_makes_the_rows_be_read() {
    let corpus = corpus().await;
    let path = corpus.snapshot.files[0].sidecar_path();
    let whole = corpus.store.get(&path).await.unwrap().bytes().await.unwrap();
    for place in [0, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.to_vec();
        damaged[place] ^= 0x40;
        corpus.store.put(&path, damaged.into()).await.unwrap();
        let context = super::corpus::small_settings();
        let context = engine::query::QueryContext::new(Arc::clone(&corpus.store), context).unwrap();
        for name in ["web", "db"] {
            let count = context.count(&corpus.snapshot, &of_service(name), EVERYTHING).await.unwrap();
            assert_eq!(count, 30, "byte {place}");
        }
    }
    corpus.store.delete(&path).await.unwrap();
    let context =
        engine::query::QueryContext::new(Arc::clone(&corpus.store), super::corpus::small_settings());
    let counted = context.unwrap();
    let (count, cost) = with_cost(counted.count(&corpus.snapshot, &of_service("web"), EVERYTHING)).await;
    assert_eq!((count.unwrap(), cost.sidecars, cost.scanned), (30, 0, 1));
}
