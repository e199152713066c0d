//! The property: whatever was sent and whatever is asked, the endpoints answer what the evaluator answers.

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use serde_json::{Value as Json, json};

use super::answers::{self, Entry};
use super::facets;
use super::grouped;
use super::harness::{Answer, Server};
use super::leaf::Refused;
use super::reply;
use super::requests::{Ask, ask};
use super::row::{Row, rows_of};
use super::strategies::{Dataset, NOW, dataset};

/// Data sets in a plain run; `TIMBERLINE_TEST_CASES` multiplies it.
const NUM_DATASETS: u32 = 16;

/// Questions to each data set.
const NUM_ASKS: usize = 40;

#[test]
fn endpoints_answer_what_the_row_at_a_time_evaluator_answers() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run = TestRunner::new(config()).run(&(dataset(), vec(ask(), NUM_ASKS)), |(dataset, asks)| {
        runtime.block_on(check(&dataset, &asks)).map_err(TestCaseError::fail)
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// Failing seeds are kept beside this file, and tried first in the next run.
fn config() -> Config {
    let factor =
        std::env::var("TIMBERLINE_TEST_CASES").map_or(1, |text| text.parse().expect("a whole number"));
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oracle/differential.seeds");
    Config {
        cases: NUM_DATASETS * factor,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        max_shrink_time: 60_000,
        ..Config::default()
    }
}

async fn check(dataset: &Dataset, asks: &[Ask]) -> Result<(), String> {
    let server = Server::start().await;
    let rows = store(&server, dataset).await?;
    for ask in asks {
        let checked = match ask {
            Ask::Query(query) => check_page(&server, &rows, query).await.map(drop),
            Ask::Pages(query) => check_pages(&server, &rows, query).await,
            Ask::Count(query) => check_count(&server, &rows, query).await,
            Ask::Sparkline(query) => check_sparkline(&server, &rows, query).await,
            Ask::Grouped(endpoint, query) => check_grouped(&server, &rows, endpoint, query).await,
            Ask::Attributes(asked) => {
                check_list(&server, "attributes", asked, facets::attributes(&rows, asked, NOW)).await
            }
            Ask::Values(asked) => {
                check_list(&server, "values", asked, facets::values(&rows, asked, NOW)).await
            }
            Ask::FacetValues(query) => check_facet_values(&server, &rows, query).await,
        };
        checked.map_err(|reason| format!("{ask:?}\n{reason}"))?;
    }
    server.stop().await;
    Ok(())
}

/// Sends the data second by second, reads all of it back and checks that it became the rows it must become.
async fn store(server: &Server, dataset: &Dataset) -> Result<Vec<Row>, String> {
    let mut sent = Vec::new();
    for (request, second) in dataset.requests.iter().zip(1..) {
        let received = NOW - 20_000_000 + second * 1_000_000;
        server.set_clock(received);
        server.store(&request.groups, request.encoding).await;
        sent.extend(rows_of(&request.groups, received));
        if request.flushes {
            server.flush().await;
        }
        // Some files are merged before more rows come, so that rows are in memory, in new and in merged files.
        if second % 2 == 0 {
            server.compact().await;
        }
    }
    server.set_clock(NOW);
    let everything =
        json!({"dateRange": {"date_from": "1990-01-01", "date_to": "2999-01-01"}, "limit": 2000});
    let (status, answer) = server.ask("query", &everything).await;
    if status != 200 {
        return Err(format!("{status} {answer}"));
    }
    let rows = reply::learn(sent, &reply::rows(&answer)?)?;
    reply::check_chosen(&rows)?;
    Ok(rows)
}

/// What the server answers to a question; none if it refuses what it must refuse.
async fn asked<T>(
    server: &Server,
    endpoint: &str,
    query: &Json,
    expected: Result<T, Refused>,
) -> Result<Option<(Json, T)>, String> {
    agreed(server.ask(endpoint, query).await, expected)
}

/// An answer with what is expected of it; none if both are a refusal.
fn agreed<T>((status, answer): Answer, expected: Result<T, Refused>) -> Result<Option<(Json, T)>, String> {
    match expected {
        Ok(expected) if status == 200 => Ok(Some((answer, expected))),
        Ok(_) => Err(format!("{status} {answer}, expected an answer")),
        Err(_) if status == 400 => Ok(None),
        Err(reason) => Err(format!("{status} {answer}, expected 400: {reason}")),
    }
}

/// Checks one page and gives its cursor.
async fn check_page(server: &Server, rows: &[Row], query: &Json) -> Result<Option<String>, String> {
    let expected = answers::page(rows, query, NOW);
    let Some((answer, page)) = asked(server, "query", query, expected).await? else { return Ok(None) };
    let excludes = query["excludeAttributes"] == true;
    let expected: Vec<Json> = page.rows.iter().map(|row| reply::written(row, excludes)).collect();
    let expected = (expected, page.has_more);
    let got = (reply::rows(&answer)?, answer["hasMore"] == true);
    if got != expected {
        return Err(difference(&expected, &got));
    }
    let cursor = answer["nextCursor"].as_str().map(str::to_owned);
    if cursor.is_some() != (page.has_more && !page.rows.is_empty()) {
        return Err(format!("hasMore is {} and the cursor {cursor:?}", page.has_more));
    }
    let constants = (&answer["maxExportableLogs"], &answer["columns"], answer["query"].is_object());
    if constants != (&json!(10_000), &Json::Null, true) {
        return Err(format!("unexpected fields beside the rows: {constants:?}"));
    }
    Ok(cursor)
}

fn difference(expected: &(Vec<Json>, bool), got: &(Vec<Json>, bool)) -> String {
    let lines = |rows: &[Json]| rows.iter().map(|row| format!("  {row}\n")).collect::<String>();
    let missing: Vec<Json> = expected.0.iter().filter(|row| !got.0.contains(row)).cloned().collect();
    let surplus: Vec<Json> = got.0.iter().filter(|row| !expected.0.contains(row)).cloned().collect();
    let numbers = ((expected.0.len(), expected.1), (got.0.len(), got.1));
    format!(
        "expected and got (rows, hasMore): {numbers:?}\nmissing:\n{}surplus:\n{}",
        lines(&missing),
        lines(&surplus)
    )
}

/// Follows the cursors to the last page; each page is what the evaluator says it is, and so is their sum.
async fn check_pages(server: &Server, rows: &[Row], query: &Json) -> Result<(), String> {
    let mut query = query.clone();
    while let Some(cursor) = check_page(server, rows, &query).await? {
        query["after"] = json!(cursor);
    }
    Ok(())
}

async fn check_count(server: &Server, rows: &[Row], query: &Json) -> Result<(), String> {
    let expected = answers::count(rows, query, NOW);
    let Some((answer, count)) = asked(server, "count", query, expected).await? else { return Ok(()) };
    if answer == json!({ "count": count }) { Ok(()) } else { Err(format!("expected {count}, got {answer}")) }
}

async fn check_sparkline(server: &Server, rows: &[Row], query: &Json) -> Result<(), String> {
    let expected = answers::sparkline(rows, query, NOW);
    let Some((answer, expected)) = asked(server, "sparkline", query, expected).await? else {
        return Ok(());
    };
    let breakdown = query["sparklineBreakdownBy"].as_str().unwrap_or("severity");
    let got = reply::entries(&answer, breakdown)?;
    if got == expected {
        return Ok(());
    }
    let only_in = |one: &[Entry], other: &[Entry]| {
        one.iter().filter(|entry| !other.contains(entry)).take(20).cloned().collect::<Vec<_>>()
    };
    let numbers = (expected.len(), got.len());
    let (missing, surplus) = (only_in(&expected, &got), only_in(&got, &expected));
    Err(format!("expected and got entries: {numbers:?}\nmissing: {missing:#?}\nsurplus: {surplus:#?}"))
}

async fn check_grouped(server: &Server, rows: &[Row], endpoint: &str, query: &Json) -> Result<(), String> {
    let expected = grouped::answer(endpoint, rows, query, NOW);
    let Some((answer, expected)) = asked(server, endpoint, query, expected).await? else { return Ok(()) };
    if grouped::agrees("", &expected, &answer) {
        return Ok(());
    }
    Err(format!("{endpoint}\nexpected {expected:#}\ngot {answer:#}"))
}

/// Checks the answer to a question in a query string.
async fn check_list(
    server: &Server,
    endpoint: &str,
    asked: &Json,
    expected: Result<Json, Refused>,
) -> Result<(), String> {
    let answer = server.get(&format!("{endpoint}?{}", facets::query_string(asked))).await;
    same(agreed(answer, expected)?)
}

async fn check_facet_values(server: &Server, rows: &[Row], query: &Json) -> Result<(), String> {
    let expected = facets::facet_values(rows, query, NOW);
    same(asked(server, "facet_values", query, expected).await?)
}

fn same(answer: Option<(Json, Json)>) -> Result<(), String> {
    match answer {
        Some((got, expected)) if got != expected => Err(format!("expected {expected:#}\ngot {got:#}")),
        _ => Ok(()),
    }
}
