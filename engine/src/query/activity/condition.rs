//! What a filter means.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::prelude::{Expr, ident, lit};
use regex::Regex;

use super::detail::DetailTests;
use super::model::{ActivityCursor, ActivityFilter, ActivityOrder, ActivityTenant, HiddenEntries};
use super::needs::EntryNeeds;
use super::text_test;
use crate::error::{Error, Result};
use crate::query::filter::{TextSearch, build_text_pattern, timestamp_literal};
use crate::schema::{activity, columns};

/// The condition that an entry is asked for; null is no. Its parts are plain where they can be, so that what is known of
/// stretches of entries tells which of them need not be read.
///
/// # Errors
/// `InvalidRequest` or `LimitExceeded` naming what is wrong.
pub(super) fn condition(filter: &ActivityFilter) -> Result<Expr> {
    let mut all = vec![of_tenant(filter.tenant)];
    all.extend(filter.hidden.iter().map(is_shown));
    let timestamp = || ident(columns::TIMESTAMP);
    all.extend(filter.since_us.map(|since_us| timestamp().gt_eq(timestamp_literal(since_us))));
    all.extend(filter.until_us.map(|until_us| timestamp().lt_eq(timestamp_literal(until_us))));
    all.extend(filter.users.as_deref().map(|users| is_any(activity::USER_ID, users.iter().copied())));
    let projects = filter.projects.as_deref();
    all.extend(projects.map(|ids| is_any(activity::PROJECT_ID, ids.iter().map(|project| project.0))));
    let words = [
        (activity::SCOPE, &filter.scopes),
        (activity::ACTIVITY, &filter.activities),
        (activity::CLIENT, &filter.clients),
        (activity::ITEM_ID, &filter.item_ids),
    ];
    let words = words.into_iter().filter(|(_, words)| !words.is_empty());
    all.extend(words.map(|(column, words)| is_any(column, words.iter().cloned())));
    let flags =
        [(activity::WAS_IMPERSONATED, filter.was_impersonated), (activity::IS_SYSTEM, filter.is_system)];
    all.extend(flags.into_iter().filter_map(|(column, flag)| Some(is_flag(column, flag?))));
    if !filter.ip_addresses.is_empty() {
        all.push(comes_from(&filter.ip_addresses)?);
    }
    // What reads the details comes last, for entries that pass all else.
    if let Some(expression) = &filter.expression {
        all.push(expression.condition());
    }
    if let Some(search) = filter.search.as_deref().filter(|search| !search.is_empty()) {
        all.push(contains(search)?);
    }
    if !filter.details.is_empty() {
        let tests = DetailTests::new(&filter.details)?;
        let description = format!("detail of {:?}", filter.details);
        let test = Arc::new(move |detail: &str| tests.hold(detail));
        let needs = EntryNeeds::of_tests(&filter.details);
        all.push(text_test::call(description, test, needs, ident(activity::DETAIL)));
    }
    Ok(all.into_iter().reduce(Expr::and).unwrap_or_else(|| lit(true)))
}

/// The condition that an entry comes behind a place.
pub(super) fn beyond(cursor: ActivityCursor, order: ActivityOrder) -> Expr {
    let (timestamp, id) = (|| ident(columns::TIMESTAMP), ident(activity::ID));
    let cursor_time = || timestamp_literal(cursor.timestamp_us);
    let cursor_id = lit(ScalarValue::FixedSizeBinary(16, Some(cursor.id.as_bytes().to_vec())));
    // The first half alone says less, but it prunes.
    match order {
        ActivityOrder::Latest => {
            timestamp().lt_eq(cursor_time()).and(timestamp().lt(cursor_time()).or(id.lt(cursor_id)))
        }
        ActivityOrder::Earliest => {
            timestamp().gt_eq(cursor_time()).and(timestamp().gt(cursor_time()).or(id.gt(cursor_id)))
        }
    }
}

fn of_tenant(tenant: ActivityTenant) -> Expr {
    let project_id = || ident(activity::PROJECT_ID);
    match tenant {
        ActivityTenant::Organization => lit(true),
        ActivityTenant::Project { project, with_organization: false } => project_id().eq(lit(project.0)),
        ActivityTenant::Project { project, with_organization: true } => {
            project_id().is_null().or(project_id().eq(lit(project.0)))
        }
    }
}

/// Not one of those that are hidden; never null, as scopes and activities are not.
fn is_shown(hidden: &HiddenEntries) -> Expr {
    let scope = is_any(activity::SCOPE, [hidden.scope.clone()].into_iter());
    let mut is_hidden = scope.and(is_any(activity::ACTIVITY, hidden.activities.iter().cloned()));
    if hidden.only_impersonated {
        is_hidden = is_hidden.and(is_flag(activity::WAS_IMPERSONATED, true));
    }
    !is_hidden
}

/// Null where the column is.
fn is_any<T: datafusion::logical_expr::Literal>(column: &str, values: impl Iterator<Item = T>) -> Expr {
    ident(column).in_list(values.map(lit).collect(), false)
}

/// Never null: what is not known is neither.
fn is_flag(column: &str, flag: bool) -> Expr {
    ident(column).eq(lit(flag)).is_true()
}

fn contains(needle: &str) -> Result<Expr> {
    let search = TextSearch::new("search_text", needle)?;
    let test = Arc::new(move |detail: &str| search.is_in(detail));
    let needs = EntryNeeds::of_text(needle);
    Ok(text_test::call(format!("contains {needle:?}"), test, needs, ident(activity::DETAIL)))
}

fn comes_from(patterns: &[String]) -> Result<Expr> {
    let compiled: Vec<Regex> =
        patterns.iter().map(|pattern| address_pattern(pattern)).collect::<Result<_>>()?;
    let test = Arc::new(move |address: &str| compiled.iter().any(|pattern| pattern.is_match(address)));
    let needs = EntryNeeds::default();
    Ok(text_test::call(format!("is one of {patterns:?}"), test, needs, ident(activity::IP_ADDRESS)))
}

/// `*` is any run of characters; everything else is itself, in either case.
fn address_pattern(pattern: &str) -> Result<Regex> {
    let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
    build_text_pattern(&format!(r"\A{}\z", parts.join("(?s:.*)")), true)
        .map_err(|error| Error::invalid_request("ip_addresses: the pattern is too long").with_source(error))
}
