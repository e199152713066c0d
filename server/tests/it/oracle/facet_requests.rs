//! Random questions about attribute keys and values.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value as Json, json};

use super::requests::{count_range, filters, insert, search_term, with_range};
use super::strategies::fragment;

const ATTRIBUTES: [&str; 8] =
    ["status", "duration", "flag", "user.name", "version", "when", "mixed", "absent"];
const RESOURCE_ATTRIBUTES: [&str; 7] =
    ["service.name", "host.name", "port", "version", "started", "k8s.labels", "absent"];

/// Questions for attribute keys, as the objects that their query strings stand for.
pub(super) fn attributes() -> impl Strategy<Value = Json> {
    let keys = subsequence([&ATTRIBUTES[..], &RESOURCE_ATTRIBUTES[..]].concat(), 0..6)
        .prop_map(|keys| format!(" {},,", keys.join(" , ")));
    let part_of_key =
        select(vec!["s", "st", "NAME", "name", "user", ".", "k8s", "on", "port", "ersio", "", "version"]);
    let part_of_value = prop_oneof![fragment(), search_term()];
    let search =
        option::weighted(0.7, prop_oneof![3 => part_of_key.prop_map(str::to_owned), 2 => part_of_value]);
    let options = (search, option::of(any::<bool>()), option::weighted(0.2, keys));
    (list_question(), options).prop_map(|(mut asked, (search, search_values, keys))| {
        insert(&mut asked, "search", search);
        insert(&mut asked, "search_values", search_values);
        insert(&mut asked, "keys", keys);
        asked
    })
}

/// Questions for values, as the objects that their query strings stand for.
pub(super) fn values() -> impl Strategy<Value = Json> {
    let keys = [&ATTRIBUTES[..], &RESOURCE_ATTRIBUTES[..]].concat();
    let part = option::weighted(
        0.3,
        prop_oneof![search_term(), select(vec!["1", "o", ".", "svc"]).prop_map(str::to_owned)],
    );
    (list_question(), select(keys), part).prop_map(|(mut asked, key, part)| {
        insert(&mut asked, "key", Some(key));
        insert(&mut asked, "value", part);
        asked
    })
}

/// What both have: filters, a range in one of its forms, and a part of the list.
fn list_question() -> impl Strategy<Value = Json> {
    let kind = select(vec![None, Some("log"), Some("resource"), Some("resource"), Some("span")]);
    let part = (option::weighted(0.3, 0..6_u64), option::weighted(0.3, 0..4_u64));
    let forms = (any::<bool>(), any::<bool>());
    (with_range(filters(), count_range()), kind, part, forms).prop_map(
        |(mut asked, kind, (limit, offset), (repeats, plain_dates))| {
            insert(&mut asked, "attribute_type", kind);
            insert(&mut asked, "limit", limit);
            insert(&mut asked, "offset", offset);
            // An unnamed service has no name to repeat, and two parameters have no place for a third member.
            let names = asked["serviceNames"].as_array().is_none_or(|names| !names.contains(&json!("")));
            insert(&mut asked, "repeats", Some(repeats && names));
            let bounds_only = asked["dateRange"].get("explicitDate").is_none();
            insert(&mut asked, "plainDates", Some(plain_dates && bounds_only));
            asked
        },
    )
}

/// Questions for the values of one facet or of several.
pub(super) fn facet_values() -> impl Strategy<Value = Json> {
    let list = |keys: &'static [&'static str]| option::of(subsequence(keys.to_vec(), 0..4));
    let facets = prop_oneof![
        2 => select(vec!["severity_text", "service_name"]).prop_map(|field| json!({"facetField": field})),
        2 => select(&ATTRIBUTES[..]).prop_map(|key| json!({"facetAttribute": key})),
        2 => select(&RESOURCE_ATTRIBUTES[..]).prop_map(|key| json!({"facetResourceAttribute": key})),
        1 => (list(&ATTRIBUTES), list(&RESOURCE_ATTRIBUTES)).prop_map(|(attributes, resource_attributes)| {
            let mut facets = json!({"facetAttributes": attributes.unwrap_or_default()});
            insert(&mut facets, "facetResourceAttributes", resource_attributes);
            facets
        }),
    ];
    let search = option::weighted(0.2, prop_oneof![search_term(), Just("svc".to_owned())]);
    (with_range(filters(), count_range()), facets, search).prop_map(|(mut query, facets, search)| {
        let members = query.as_object_mut().expect("an object");
        members.extend(facets.as_object().expect("an object").clone());
        insert(&mut query, "facetSearch", search);
        query
    })
}
