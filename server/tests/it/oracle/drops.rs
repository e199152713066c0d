//! The property: what a drop rule takes away as records come in, and what its simulation counts over stored rows, is
//! what the evaluator says that the rule's filter finds.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value as Json, json};

use super::harness::Server;
use super::leaf::{Leaf, Refused};
use super::leaves;
use super::reply;
use super::row::{Row, rows_of};
use super::strategies::{Dataset, NOW, dataset};

const NUM_DATASETS: u32 = 12;
/// Rules that are tried out on each data set.
const NUM_RULES: usize = 8;

/// A filter of a rule, every group joined the way it says.
#[derive(Debug)]
enum Group {
    Leaf(Leaf),
    Joined { is_or: bool, members: Vec<Group> },
}

impl Group {
    fn read(node: &Json) -> Result<Self, Refused> {
        match node["values"].as_array() {
            Some(members) => {
                let members = members.iter().map(Self::read).collect::<Result<_, _>>()?;
                Ok(Self::Joined { is_or: node["type"] == "OR", members })
            }
            None => Leaf::read(node, NOW)?.map(Self::Leaf).ok_or("a leaf that says nothing".to_owned()),
        }
    }

    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.holds(row),
            Self::Joined { is_or: true, members } => members.iter().any(|member| member.holds(row)),
            Self::Joined { is_or: false, members } => members.iter().all(|member| member.holds(row)),
        }
    }
}

fn group() -> impl Strategy<Value = Json> {
    let joined = |members: BoxedStrategy<Json>| {
        (any::<bool>(), vec(members, 1..4)).prop_map(
            |(is_or, members)| json!({ "type": if is_or { "OR" } else { "AND" }, "values": members }),
        )
    };
    let inner = joined(leaves::leaf()).boxed();
    joined(prop_oneof![3 => leaves::leaf(), 1 => inner].boxed())
}

#[test]
fn what_is_dropped_is_what_the_row_at_a_time_evaluator_finds() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (num_rules, num_dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let config = Config {
        cases: NUM_DATASETS,
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    };
    let run = TestRunner::new(config).run(&(dataset(), vec(group(), NUM_RULES)), |(dataset, groups)| {
        let checked = runtime.block_on(check(&dataset, &groups)).map_err(TestCaseError::fail)?;
        num_rules.fetch_add(checked.0, Ordering::Relaxed);
        num_dropped.fetch_add(checked.1, Ordering::Relaxed);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    // Otherwise the property would hold of nothing.
    assert!(num_rules.into_inner() > NUM_DATASETS as usize, "few rules were taken");
    assert!(num_dropped.into_inner() > 0, "nothing was dropped");
}

/// The number of rules that the server took, and of rows that the last of them dropped.
async fn check(dataset: &Dataset, groups: &[Json]) -> Result<(usize, usize), String> {
    let server = Server::start().await;
    let rules = "sampling_rules";
    let mut taken = Vec::new();
    for group in groups {
        let rule = json!({ "name": "r", "rule_type": "path_drop", "config": { "filter_group": group } });
        let (status, answer) = server.change(Method::POST, rules, &rule).await;
        match (status.as_u16(), Group::read(group)) {
            (201, Ok(group)) => taken.push((answer["id"].as_str().expect("an id").to_owned(), group)),
            // What says nothing, or something else tomorrow, is no rule although it is a question.
            (400, _) => {}
            (_, read) => return Err(format!("{status} {answer}, the evaluator says {read:?}")),
        }
    }
    send(&server, dataset).await;
    let all = sent(dataset);
    compare(&server, all.clone()).await?;
    for (id, group) in &taken {
        let expected = all.iter().filter(|row| group.holds(row)).count();
        let everything = json!({ "dateRange": { "date_from": "1900-01-01", "date_to": "2999-01-01" } });
        let (status, answer) =
            server.change(Method::POST, &format!("{rules}/{id}/simulate"), &everything).await;
        let got = (answer["dropped"].as_u64(), answer["kept"].as_u64());
        if status != 200 || got != (Some(expected as u64), Some((all.len() - expected) as u64)) {
            return Err(format!("{status} {answer}, expected {expected} dropped by {group:?}"));
        }
    }
    server.stop().await;
    let dropped = match taken.last() {
        Some((_, group)) => check_ingest(dataset, groups, group, &all).await?,
        None => 0,
    };
    Ok((taken.len(), dropped))
}

/// Sends the same to a server that has the last of the rules enabled.
async fn check_ingest(
    dataset: &Dataset,
    groups: &[Json],
    group: &Group,
    all: &[Row],
) -> Result<usize, String> {
    let server = Server::start().await;
    for filter in groups {
        let rule = json!({ "name": "r", "enabled": true, "rule_type": "path_drop", "config": { "filter_group": filter } });
        let (status, answer) = server.change(Method::POST, "sampling_rules", &rule).await;
        if status != 201 {
            continue;
        }
        // Only the last one stays.
        let (_, rules) = server.change(Method::GET, "sampling_rules", &Json::Null).await;
        for other in
            rules["results"].as_array().into_iter().flatten().filter(|rule| rule["id"] != answer["id"])
        {
            let path = format!("sampling_rules/{}", other["id"].as_str().expect("an id"));
            server.change(Method::DELETE, &path, &Json::Null).await;
        }
    }
    send(&server, dataset).await;
    let kept: Vec<Row> = all.iter().filter(|row| !group.holds(row)).cloned().collect();
    let dropped = all.len() - kept.len();
    compare(&server, kept).await.map_err(|error| format!("{error}\nby {group:?}"))?;
    server.stop().await;
    Ok(dropped)
}

fn received(index: usize) -> i64 {
    NOW - 20_000_000 + (index as i64 + 1) * 1_000_000
}

async fn send(server: &Server, dataset: &Dataset) {
    for (index, request) in dataset.requests.iter().enumerate() {
        server.set_clock(received(index));
        server.store(&request.groups, request.encoding).await;
        if request.flushes {
            server.flush().await;
        }
    }
    server.set_clock(NOW);
}

fn sent(dataset: &Dataset) -> Vec<Row> {
    let requests = dataset.requests.iter().enumerate();
    requests.flat_map(|(index, request)| rows_of(&request.groups, received(index))).collect()
}

/// All rows that are stored are these.
async fn compare(server: &Server, rows: Vec<Row>) -> Result<(), String> {
    let query = json!({"dateRange": {"date_from": "1900-01-01", "date_to": "2999-01-01"}, "limit": 2000});
    let (status, answer) = server.ask("query", &query).await;
    if status != 200 {
        return Err(format!("{status} {answer}"));
    }
    reply::learn(rows, &reply::rows(&answer)?).map(drop)
}
