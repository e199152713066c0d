//! Rows of a file with several blocks of words and many slices: what sidecars leave out has none of the rows that a
//! look at each row finds.

use std::sync::Arc;

use engine::query::model::{
    AttributeMaps, FilterNode, LogFilter, LogQuery, Namespace, Operand, Operator, Order, Scalar,
};
use engine::query::{QueryCost, TimeRange, with_cost};
use uuid::Uuid;

use super::corpus::{Corpus, Row};
use super::filters::leaf;
use super::properties::SECOND;

const NUM_ROWS: u128 = 5_000;
const EVERYTHING: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

/// Rows a second apart, of two services; a word of its own in one row of fifty, all of them in the second half.
fn rows() -> Vec<Row> {
    let row = |number: u128| {
        let body = match number % 50 {
            0 if number > NUM_ROWS / 2 => format!("Upstream TIMED out after {number}ms"),
            1 => "time is out, upstreams".to_owned(),
            2 => format!("\u{212A}elvin mi\u{17F}sed deadbeef{number}"),
            _ => format!("GET /items/{number} 200"),
        };
        let mut row = Row::new(number, number as i64 * SECOND, &body)
            .with_attributes(&[("request.id", &id(number)), ("status", "200-and-more")]);
        row.service = if number.is_multiple_of(7) { "web" } else { "db" }.to_owned();
        if number > NUM_ROWS - 200 {
            row.service = "late".to_owned();
        }
        row.trace_id[8..].copy_from_slice(&(number as u64 / 3).to_be_bytes());
        row
    };
    (0..NUM_ROWS).map(row).collect()
}

fn id(number: u128) -> String {
    format!("{:016x}-r", (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file with a sidecar.
async fn corpus(rows: &[Row]) -> Corpus {
    let mut corpus = Corpus::new(&[rows[..1].to_vec(), rows.to_vec()], &[]).await;
    let with_sidecar = Arc::clone(&corpus.snapshot.files[1]);
    assert!(with_sidecar.sidecar_bytes > 0);
    corpus.snapshot.files = std::sync::Arc::new(vec![with_sidecar]);
    corpus
}

fn text(term: &str) -> LogFilter {
    LogFilter { search_term: term.to_owned(), ..LogFilter::default() }
}

fn with_leaf(namespace: Namespace, key: &str, operator: Operator, texts: &[&str]) -> LogFilter {
    let mut texts: Vec<Scalar> = texts.iter().map(|text| Scalar::Text((*text).to_owned())).collect();
    let operand = if texts.len() == 1 { Operand::One(texts.remove(0)) } else { Operand::Many(texts) };
    let properties: Vec<FilterNode> = vec![leaf(namespace, key, operator, operand)];
    LogFilter { properties, ..LogFilter::default() }
}

/// The numbers of the rows that a page has, and of all that match, from a look at each row.
async fn check(
    corpus: &Corpus,
    rows: &[Row],
    filter: &LogFilter,
    is_meant: &dyn Fn(&Row) -> bool,
) -> QueryCost {
    let second = |number: i64| number * SECOND;
    let ranges = [
        EVERYTHING,
        TimeRange { start_us: second(10) + 1, end_us: second(4_321) },
        TimeRange { start_us: second(2_048), end_us: second(2_049) },
        TimeRange { start_us: second(9_000), end_us: second(9_001) },
    ];
    for range in ranges {
        let meant: Vec<&Row> = rows
            .iter()
            .filter(|row| {
                range.start_us <= row.timestamp_us && row.timestamp_us < range.end_us && is_meant(row)
            })
            .collect();
        let count = corpus.context.count(&corpus.snapshot, filter, range).await.unwrap();
        assert_eq!(count, meant.len() as u64, "{filter:?} in {range:?}");
        for order in [Order::Latest, Order::Earliest] {
            let mut expected: Vec<Uuid> = meant.iter().map(|row| Uuid::from_u128(row.uuid)).collect();
            if order == Order::Latest {
                expected.reverse();
            }
            check_pages(corpus, filter, range, order, &expected).await;
        }
    }
    let (count, cost) = with_cost(corpus.context.count(&corpus.snapshot, filter, EVERYTHING)).await;
    count.unwrap();
    cost
}

/// Three pages, one after the other.
async fn check_pages(corpus: &Corpus, filter: &LogFilter, range: TimeRange, order: Order, expected: &[Uuid]) {
    let mut after = None;
    for page in expected.chunks(7).take(3).chain(expected.is_empty().then_some(expected)) {
        let attributes = AttributeMaps::Included;
        let (filter, ingested_from_us) = (filter.clone(), None);
        let query = LogQuery { filter, range, order, limit: 7, after, ingested_from_us, attributes };
        let found = corpus.context.rows(&corpus.snapshot, &query).await.unwrap();
        assert_eq!(found.rows.iter().map(|row| row.uuid).collect::<Vec<_>>(), page, "{query:?}");
        assert!(found.rows.iter().all(|row| row.attributes.len() == 2), "{query:?}");
        after = found.next_cursor;
    }
}

#[tokio::test]
async fn texts_are_found_where_words_say_and_nowhere_else() {
    let rows = rows();
    let corpus = corpus(&rows).await;
    let lower = |row: &Row| row.body.to_lowercase();
    let cost = check(&corpus, &rows, &text("timed"), &|row| lower(row).contains("timed")).await;
    assert_eq!((cost.rows, cost.sidecars), (0, 1), "one word of each block has it: {cost}");
    let cost = check(&corpus, &rows, &text("zanzibar nowhere"), &|_| false).await;
    assert_eq!(cost.rows, 0, "{cost}");
    let cost =
        check(&corpus, &rows, &text("Upstream timed OUT"), &|row| lower(row).contains("upstream timed out"))
            .await;
    assert!((1..=3_000).contains(&cost.rows), "the first block has none: {cost}");
    check(&corpus, &rows, &text("upstream"), &|row| lower(row).contains("upstream")).await;
    check(&corpus, &rows, &text("kelvin miss"), &|row| row.body.contains("elvin mi")).await;
    check(&corpus, &rows, &text("deadbeef"), &|row| row.body.contains("deadbeef")).await;
    check(&corpus, &rows, &text("items/42"), &|row| row.body.contains("items/42")).await;
    let pattern = with_leaf(Namespace::Log, "message", Operator::Regex, &["TIMED out after [0-9]+00ms"]);
    let cost = check(&corpus, &rows, &pattern, &|row| {
        row.body.contains("TIMED out after ") && row.body.ends_with("00ms")
    })
    .await;
    assert!((1..=3_000).contains(&cost.rows), "{cost}");
    let not = with_leaf(Namespace::Log, "message", Operator::NotIcontains, &["timed"]);
    check(&corpus, &rows, &not, &|row| !lower(row).contains("timed")).await;
}

#[tokio::test]
async fn ids_and_services_are_found_in_their_slices() {
    let rows = rows();
    let corpus = corpus(&rows).await;
    let wanted = [id(17), id(4_711)];
    let one = with_leaf(Namespace::LogAttribute, "request.id", Operator::Exact, &[&wanted[0]]);
    check(&corpus, &rows, &one, &|row| row.uuid == 17).await;
    let ids: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let two = with_leaf(Namespace::LogAttribute, "request.id", Operator::In, &ids);
    check(&corpus, &rows, &two, &|row| [17, 4_711].contains(&row.uuid)).await;
    let none = with_leaf(Namespace::LogAttribute, "request.id", Operator::Exact, &["0123456789abcdef-none"]);
    check(&corpus, &rows, &none, &|_| false).await;
    let not = with_leaf(Namespace::LogAttribute, "request.id", Operator::IsNot, &[&wanted[0]]);
    check(&corpus, &rows, &not, &|row| row.uuid != 17).await;
    let trace = with_leaf(Namespace::Log, "trace_id", Operator::Exact, &[&hex(&rows[3_000].trace_id)]);
    check(&corpus, &rows, &trace, &|row| row.trace_id == rows[3_000].trace_id).await;
    let unset = with_leaf(Namespace::Log, "trace_id", Operator::Exact, &[&"00".repeat(16)]);
    check(&corpus, &rows, &unset, &|row| row.trace_id == [0; 16]).await;
    let late = LogFilter { service_names: vec!["late".to_owned()], ..text("items") };
    let cost = check(&corpus, &rows, &late, &|row| row.service == "late" && row.body.contains("items")).await;
    assert!(cost.rows < 1_000, "other slices have no row of the service: {cost}");
}
