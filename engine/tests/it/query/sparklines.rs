//! Sparklines: buckets, series, zero fill.

use engine::query::model::{Breakdown, LogFilter, RankBy};
use engine::query::{LowerBound, ResolvedRange, SparklineEntry, SparklineRequest};

use super::corpus::{Corpus, Row};

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

fn request(from: LowerBound, to_us: i64, breakdown: Breakdown, rank_by: RankBy) -> SparklineRequest {
    let range = ResolvedRange { from, to_us, interval_to_us: to_us };
    SparklineRequest { filter: LogFilter::default(), range, breakdown, rank_by }
}

async fn sparkline(corpus: &Corpus, request: &SparklineRequest) -> Vec<SparklineEntry> {
    corpus.context.sparkline(&corpus.snapshot, request).await.unwrap()
}

fn row(id: u128, timestamp_us: i64, service: &str, bytes: u32) -> Row {
    Row { service: service.into(), bytes, severity: "warn", ..Row::new(id, timestamp_us, "x") }
}

fn show(entries: &[SparklineEntry]) -> Vec<(i64, &str, u64, u64)> {
    let show = |entry: &'_ SparklineEntry| (entry.time_us / SECOND, entry.count, entry.bytes_uncompressed);
    entries.iter().map(|entry| (show(entry).0, entry.series.as_str(), show(entry).1, show(entry).2)).collect()
}

#[tokio::test]
async fn buckets_without_rows_are_zero_and_edges_are_whole() {
    let rows = [
        row(1, SECOND + 1, "a", 10),
        row(2, SECOND + 900_000, "", 5),
        row(3, 3 * SECOND + 999_999, "a", 1),
        row(4, 4 * SECOND, "a", 1),
        row(5, SECOND - 1, "a", 1),
    ];
    let corpus = Corpus::new(&[rows[..3].to_vec()], &[rows[3..].to_vec()]).await;
    let from = LowerBound::At(SECOND + 500_000);
    let entries =
        sparkline(&corpus, &request(from, 4 * SECOND + 500_000, Breakdown::Service, RankBy::Count)).await;
    assert_eq!(
        show(&entries),
        [(1, "(no value)", 1, 5), (1, "a", 1, 10), (2, "(no value)", 0, 0), (3, "a", 1, 1)]
    );
}

#[tokio::test]
async fn one_instant_is_one_bucket() {
    let corpus = Corpus::new(&[vec![row(1, 5 * SECOND + 3, "a", 10)]], &[]).await;
    let at = 5 * SECOND + 3;
    let entries =
        sparkline(&corpus, &request(LowerBound::At(at), at, Breakdown::Severity, RankBy::Count)).await;
    assert_eq!(show(&entries), [(5, "warn", 1, 10)]);
    let entries =
        sparkline(&corpus, &request(LowerBound::At(at), at - 1, Breakdown::Severity, RankBy::Count)).await;
    assert_eq!(entries, []);
}

#[tokio::test]
async fn a_range_of_all_time_begins_with_the_earliest_row() {
    let corpus = Corpus::new(&[vec![row(1, -30 * SECOND, "a", 1)]], &[vec![row(2, 0, "a", 1)]]).await;
    let all = request(LowerBound::Earliest, 20 * SECOND, Breakdown::Service, RankBy::Count);
    let entries = sparkline(&corpus, &all).await;
    assert_eq!((entries[0].time_us, entries[0].count), (-30 * SECOND, 1));
    assert_eq!(entries.len(), 50);
    let empty = Corpus::new(&[], &[]).await;
    assert_eq!(show(&sparkline(&empty, &all).await), [(20, "(no value)", 0, 0)]);
}

#[tokio::test]
async fn ten_values_keep_a_series_and_the_rest_is_one() {
    // Service n has n rows, and the first one is heavy.
    let mut rows = Vec::new();
    for service in 1..=25_u32 {
        for each in 0..service {
            let bytes = if service == 1 { 1_000_000 } else { 1 };
            let time = i64::from(each % 3) * HOUR;
            rows.push(row(u128::from(service * 100 + each), time, &format!("service-{service:02}"), bytes));
        }
    }
    let num_rows = rows.len() as u64;
    let corpus = Corpus::new(&[rows[..200].to_vec()], &[rows[200..].to_vec()]).await;
    let day = |rank_by| request(LowerBound::At(0), 24 * HOUR, Breakdown::Service, rank_by);
    let entries = sparkline(&corpus, &day(RankBy::Count)).await;
    let series = |entries: &[SparklineEntry]| {
        let mut names: Vec<String> = entries.iter().map(|entry| entry.series.clone()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| name != "(no value)");
        names
    };
    let mut expected: Vec<String> = (16..=25).map(|service| format!("service-{service:02}")).collect();
    expected.insert(0, "$$_posthog_breakdown_other_$$".to_owned());
    assert_eq!(series(&entries), expected);
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>(), num_rows);
    assert_eq!(entries[1].time_us - entries[0].time_us, 0);
    assert!(entries.is_sorted_by_key(|entry| (entry.time_us, entry.series.clone())));
    let times: std::collections::BTreeSet<i64> = entries.iter().map(|entry| entry.time_us).collect();
    assert_eq!(times, (0..48).map(|bucket| bucket * HOUR / 2).collect());
    let by_bytes = series(&sparkline(&corpus, &day(RankBy::Bytes)).await);
    assert!(by_bytes.contains(&"service-01".to_owned()) && !by_bytes.contains(&"service-16".to_owned()));
}

#[tokio::test]
async fn equal_values_rank_by_name() {
    let rows: Vec<Row> = (0..12).map(|id| row(id, 0, &format!("s{id:02}"), 1)).collect();
    let corpus = Corpus::new(&[rows], &[]).await;
    let entries =
        sparkline(&corpus, &request(LowerBound::At(0), SECOND, Breakdown::Service, RankBy::Count)).await;
    let names: Vec<&str> = entries[1..].iter().map(|entry| entry.series.as_str()).collect();
    assert_eq!(names, ["s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09"]);
    assert_eq!((entries[0].series.starts_with("$$"), entries[0].count), (true, 2));
}
