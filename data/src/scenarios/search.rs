//! The search service: queries, slow queries and index refreshes.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use super::SEARCH_WORDS;
use crate::keys;
use crate::line::{Line, say};

const INDEXES: [&str; 4] = ["products_v12", "products_v13", "articles_v3", "suggestions_v7"];

/// A query per line, now and then a refresh of an index.
pub(super) fn search(line: &mut Line<'_>) {
    let index = line.random.pick(&INDEXES);
    if line.random.chance(60) {
        refresh(line, index);
        return;
    }
    line.is_traced = line.random.chance(700);
    let words = [line.random.pick(&SEARCH_WORDS), line.random.pick(&SEARCH_WORDS)].join(" ");
    let duration_us = line.takes_us(12_000);
    let num_hits = line.random.skewed_index(20_000) as i64;
    if line.fails() {
        line.severity = SeverityNumber::Error;
        say!(
            line,
            "query '{words}' on {index} failed on 1 of 5 shards: SearchPhaseExecutionException, {num_hits} partial hits discarded"
        );
        line.text(keys::ERROR_TYPE, "SearchPhaseExecutionException");
    } else if duration_us > 60_000 {
        line.severity = SeverityNumber::Warn;
        say!(
            line,
            "slow query '{words}' on {index}: {num_hits} hits in {duration_us}us, threshold 60000us, shards 5/5, user {}",
            line.request.user_id()
        );
    } else {
        let page = line.random.between(1, 9);
        say!(
            line,
            "query '{words}' on {index} page {page}: {num_hits} hits in {duration_us}us, shards 5/5, sort relevance"
        );
    }
    line.text(keys::DB_COLLECTION, index);
    line.int(keys::DB_ROWS, num_hits);
    line.text(keys::USER_ID, line.request.user_id());
    line.duration(duration_us);
    line.request_id();
}

fn refresh(line: &mut Line<'_>, index: &str) {
    let num_documents = line.random.between(500, 90_000);
    let num_deleted = line.random.below(2_000);
    let duration_us = line.takes_us(250_000);
    line.severity = SeverityNumber::Debug;
    say!(
        line,
        "index {index} refreshed: {num_documents} documents added, {num_deleted} deleted, {} segments, took {duration_us}us",
        line.random.between(8, 60)
    );
    line.text(keys::DB_COLLECTION, index);
    line.text(keys::DB_OPERATION, "refresh");
    line.duration(duration_us);
    line.list(keys::TAGS, &["index", "background"]);
}
