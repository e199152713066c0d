//! What the endpoints must answer about attribute keys and values, one row after the other.
//!
//! A question in a query string is written here as the object it stands for: `dateRange`, `serviceNames` and
//! `filterGroup` are JSON in it, and [`query_string`] writes it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::dates::{self, Purpose};
use super::filter::Filter;
use super::fold::{contains_ignoring_case, folded};
use super::leaf::{Leaf, Refused};
use super::row::Row;

const DEFAULT_LIMIT: usize = 100;
const MAX_FACET_VALUES: usize = 100;

/// The parameters of a question. Service names are repeated if `repeats` says so, and the bounds of the range are
/// parameters of their own if `plainDates` does.
pub(super) fn query_string(asked: &Json) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for (name, value) in asked.as_object().expect("an object") {
        match name.as_str() {
            "repeats" | "plainDates" => {}
            "serviceNames" if asked["repeats"] == true => {
                pairs.extend(texts(value).into_iter().map(|service| ("serviceNames", service)));
            }
            "dateRange" if asked["plainDates"] == true => {
                let bounds = ["date_from", "date_to"].into_iter();
                pairs.extend(bounds.filter_map(|bound| Some((bound, value[bound].as_str()?.to_owned()))));
            }
            name => pairs.push((name, value.as_str().map_or_else(|| value.to_string(), str::to_owned))),
        }
    }
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

pub(super) fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The rows of the asked time for which `is_asked` holds.
fn in_range<'a>(rows: &'a [Row], range: &dates::Range, is_asked: impl Fn(&Row) -> bool) -> Vec<&'a Row> {
    let earliest = rows.iter().map(|row| row.timestamp).min().unwrap_or(range.to);
    let from = range.from.unwrap_or(earliest);
    rows.iter().filter(|row| from <= row.timestamp && row.timestamp < range.to && is_asked(row)).collect()
}

/// The rows of a question in a query string: without a range those since midnight seven days before today.
fn listed<'a>(rows: &'a [Row], asked: &Json, now: i64) -> Result<Vec<&'a Row>, Refused> {
    let filter = Filter::read(asked, now)?;
    let is_empty = |range: &Json| range.is_null() || *range == json!({});
    let range = Some(&asked["dateRange"]).filter(|range| !is_empty(range));
    let no_range = json!({ "date_from": null });
    let range = dates::resolve(range.unwrap_or(&no_range), now, Purpose::Aggregation);
    Ok(in_range(rows, &range, |row| filter.holds(row)))
}

fn map_of<'a>(row: &'a Row, asked: &Json) -> &'a BTreeMap<String, String> {
    if asked["attribute_type"] == "resource" { &row.resource_attributes } else { &row.attributes }
}

fn number(asked: &Json, name: &str, default: usize) -> usize {
    asked[name].as_u64().map_or(default, |number| number as usize)
}

fn page<T>(ranked: Vec<T>, asked: &Json) -> Vec<T> {
    let part = ranked.into_iter().skip(number(asked, "offset", 0));
    part.take(number(asked, "limit", DEFAULT_LIMIT)).collect()
}

/// The answer to a question for attribute keys.
pub(super) fn attributes(rows: &[Row], asked: &Json, now: i64) -> Result<Json, Refused> {
    let search = asked["search"].as_str().unwrap_or_default();
    let in_values = asked["search_values"] == true && search.chars().count() >= 4;
    let keys: BTreeSet<&str> = asked["keys"].as_str().unwrap_or_default().split(',').map(str::trim).collect();
    let is_named =
        |key: &str| keys.iter().all(|key| key.is_empty()) || (!key.is_empty() && keys.contains(key));
    let mut values_by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in listed(rows, asked, now)? {
        for (key, value) in map_of(row, asked) {
            values_by_key.entry(key).or_default().push(value);
        }
    }
    let mut ranked = Vec::new();
    for (key, values) in values_by_key.into_iter().filter(|(key, _)| is_named(key)) {
        if contains_ignoring_case(key, search) {
            ranked.push((0, closeness(key, search), Reverse(values.len()), key, None));
        } else if in_values {
            let values: Vec<&str> =
                values.into_iter().filter(|value| contains_ignoring_case(value, search)).collect();
            let most_frequent = counted(&values).into_iter().next();
            if let Some((value, _)) = most_frequent {
                ranked.push((1, 0, Reverse(values.len()), key, Some(value)));
            }
        }
    }
    ranked.sort();
    let total = ranked.len();
    let kind = if asked["attribute_type"] == "resource" { "log_resource_attribute" } else { "log_attribute" };
    let results: Vec<Json> = page(ranked, asked)
        .into_iter()
        .map(|(_, _, _, name, value)| match value {
            None => json!({"name": name, "propertyFilterType": kind, "matchedOn": "key"}),
            Some(value) => {
                json!({"name": name, "propertyFilterType": kind, "matchedOn": "value", "matchedValue": value})
            }
        })
        .collect();
    let count = if in_values { number(asked, "offset", 0) + results.len() } else { total };
    Ok(json!({ "results": results, "count": count }))
}

/// 0 for the text itself, 1 where the text is between other characters than letters and digits, 2 elsewhere.
fn closeness(key: &str, search: &str) -> u8 {
    if search.is_empty() {
        return 2;
    }
    let (characters, key): (Vec<char>, Vec<char>) = (key.chars().collect(), folded(key).chars().collect());
    let search: Vec<char> = folded(search).chars().collect();
    let is_edge = |place: Option<&char>| place.is_none_or(|character| !character.is_alphanumeric());
    let is_token = |(start, window): (usize, &[char])| {
        let before = start.checked_sub(1).and_then(|before| characters.get(before));
        *window == search && is_edge(before) && is_edge(characters.get(start + search.len()))
    };
    match () {
        () if key == search => 0,
        () if key.windows(search.len()).enumerate().any(is_token) => 1,
        () => 2,
    }
}

/// Values with their numbers, the most frequent first, then by value.
fn counted(values: &[&str]) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut ranked: Vec<(Reverse<u64>, &str)> =
        counts.into_iter().map(|(value, count)| (Reverse(count), value)).collect();
    ranked.sort();
    ranked.into_iter().map(|(Reverse(count), value)| (value.to_owned(), count)).collect()
}

/// The answer to a question for the values of an attribute.
pub(super) fn values(rows: &[Row], asked: &Json, now: i64) -> Result<Json, Refused> {
    let (key, part) = (asked["key"].as_str().ok_or("no key")?, asked["value"].as_str().unwrap_or_default());
    let rows = listed(rows, asked, now)?;
    let values = rows.iter().filter_map(|row| map_of(row, asked).get(key).map(String::as_str));
    let values: Vec<&str> = values.filter(|value| contains_ignoring_case(value, part)).collect();
    let results: Vec<Json> = page(counted(&values), asked)
        .into_iter()
        .map(|(value, count)| json!({"id": value, "name": value, "count": count}))
        .collect();
    Ok(json!({ "results": results, "refreshing": false }))
}

/// What values are counted of.
#[derive(Clone, Copy)]
enum Facet<'a> {
    Severity,
    Service,
    Resource(&'a str),
    Attribute(&'a str),
}

/// The answer to a question for the values of facets.
pub(super) fn facet_values(rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    Filter::read(query, now)?;
    let values = |facet: Facet<'_>| values_of_facet(rows, query, facet, now);
    let by_key = |list: &Json, is_resource: bool| -> Result<Json, Refused> {
        let of_key = |key: String| {
            let facet = if is_resource { Facet::Resource(&key) } else { Facet::Attribute(&key) };
            Ok(json!({"key": key, "values": values(facet)?}))
        };
        texts(list).into_iter().map(of_key).collect()
    };
    let results = if let Some(key) = query["facetAttribute"].as_str() {
        values(Facet::Attribute(key))?
    } else if let Some(key) = query["facetResourceAttribute"].as_str() {
        values(Facet::Resource(key))?
    } else if query["facetField"] == "severity_text" {
        values(Facet::Severity)?
    } else if query["facetField"] == "service_name" {
        values(Facet::Service)?
    } else {
        json!({
            "facetField": [],
            "facetResourceAttributes": by_key(&query["facetResourceAttributes"], true)?,
            "facetAttributes": by_key(&query["facetAttributes"], false)?,
        })
    };
    Ok(json!({ "results": results }))
}

fn values_of_facet(rows: &[Row], query: &Json, facet: Facet<'_>, now: i64) -> Result<Json, Refused> {
    let mut query = query.clone();
    match facet {
        Facet::Severity => query["severityLevels"] = Json::Null,
        Facet::Service => query["serviceNames"] = Json::Null,
        Facet::Resource(_) | Facet::Attribute(_) => {}
    }
    let is_own = |leaf: &Leaf| match facet {
        Facet::Severity => leaf.is_on("log", "severity_level") || leaf.is_on("log", "severity_text"),
        Facet::Service => leaf.is_on("log", "service_name"),
        Facet::Resource(key) => leaf.is_on("log_resource_attribute", key),
        Facet::Attribute(key) => leaf.is_on("log_attribute", key),
    };
    let filter = Filter::read(&query, now)?;
    let range = dates::resolve(&query["dateRange"], now, Purpose::Aggregation);
    let rows = in_range(rows, &range, |row| filter.holds_apart_from(row, &is_own));
    let value_of = |row: &&'_ Row| match facet {
        Facet::Severity => Some(row.severity_text.clone()),
        Facet::Service => Some(row.service_name.clone()),
        Facet::Resource(key) => row.resource_attributes.get(key).cloned(),
        Facet::Attribute(key) => row.attributes.get(key).cloned(),
    };
    let part = query["facetSearch"].as_str().unwrap_or_default();
    let values: Vec<String> = rows.iter().filter_map(value_of).collect();
    let values: Vec<&str> =
        values.iter().map(String::as_str).filter(|value| contains_ignoring_case(value, part)).collect();
    let values = counted(&values).into_iter().take(MAX_FACET_VALUES);
    Ok(values.map(|(value, count)| json!({"value": value, "count": count})).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_near_a_search_as_published() {
        for (key, expected) in [("ID", 0), ("trace_id", 1), ("brokers.0.id", 1), ("pid", 2), ("idé", 2)] {
            assert_eq!(closeness(key, "id"), expected, "{key}");
        }
    }

    #[test]
    fn a_question_is_written_as_a_query_string() {
        let asked =
            json!({"key": "a b", "limit": 5, "serviceNames": ["x", "é"], "dateRange": {"date_from": "-1h"}});
        let json_form = query_string(&asked);
        assert!(json_form.contains("key=a%20b") && json_form.contains("limit=5"), "{json_form}");
        assert!(json_form.contains("dateRange=%7B%22date%5Ffrom%22%3A%22%2D1h%22%7D"), "{json_form}");
        let mut plain = asked;
        plain["repeats"] = json!(true);
        plain["plainDates"] = json!(true);
        let plain_form = query_string(&plain);
        assert!(plain_form.contains("serviceNames=x&serviceNames=%C3%A9"), "{plain_form}");
        assert!(plain_form.contains("date_from=%2D1h"), "{plain_form}");
    }
}
