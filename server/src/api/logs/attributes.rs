//! `GET logs/attributes`: which attribute keys rows have.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use engine::query::{AttributeKey, AttributeKeysRequest, AttributeSource, Rounding, SearchIn};
use serde::Serialize;

use super::list_request::ListRequest;
use crate::api::api_call::ApiCall;
use crate::api::parameters::Parameters;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// Most keys that may be named.
const MAX_KEYS: usize = 100;
/// A shorter text is in too many values to tell anything.
const MIN_CHARS_IN_VALUES: usize = 4;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    results: Vec<Found>,
    count: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    name: String,
    property_filter_type: &'static str,
    matched_on: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_value: Option<String>,
}

pub(super) async fn attributes(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let ListRequest { filter, date_range, source, list } = ListRequest::parse(call.parameters())?;
    let (search, search_in, keys) = parse_search(call.parameters())?;
    let range = date_range.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let request = AttributeKeysRequest { filter, range, source, search, search_in, keys, list };
    let found = state.engine().attribute_keys(project, request).await;
    let found = found.map_err(|error| ApiError::from(error).simple_if_bad_request())?;
    let count = match search_in {
        SearchIn::Keys => found.total,
        SearchIn::KeysAndValues => list.offset.saturating_add(found.keys.len()),
    };
    Ok(Json(Answer { results: found.keys.into_iter().map(|key| written(key, source)).collect(), count }))
}

fn parse_search(parameters: Parameters<'_>) -> Result<(String, SearchIn, BTreeSet<String>), ApiError> {
    let search = parameters.text("search").unwrap_or_default();
    let is_long_enough = search.chars().nth(MIN_CHARS_IN_VALUES - 1).is_some();
    let search_in = if parameters.is_true("search_values") && is_long_enough {
        SearchIn::KeysAndValues
    } else {
        SearchIn::Keys
    };
    let keys: BTreeSet<String> = parameters.comma_list("keys").map(str::to_owned).collect();
    if keys.len() > MAX_KEYS {
        let message = format!("keys: {} keys are more than {MAX_KEYS}", keys.len());
        return Err(ApiError::bad_request(message));
    }
    Ok((search.to_owned(), search_in, keys))
}

fn written(key: AttributeKey, source: AttributeSource) -> Found {
    Found {
        name: key.name,
        property_filter_type: match source {
            AttributeSource::Record => "log_attribute",
            AttributeSource::Resource => "log_resource_attribute",
        },
        matched_on: if key.matched_value.is_some() { "value" } else { "key" },
        matched_value: key.matched_value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<(String, SearchIn, BTreeSet<String>), ApiError> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse_search(Parameters::of(&pairs))
    }

    #[test]
    fn values_are_searched_for_longer_texts_only() {
        for (search, flag, expected) in [
            ("argo", "true", SearchIn::KeysAndValues),
            ("日本日本", "true", SearchIn::KeysAndValues),
            ("日本", "true", SearchIn::Keys),
            ("arg", "true", SearchIn::Keys),
            ("argo", "false", SearchIn::Keys),
            ("", "true", SearchIn::Keys),
        ] {
            let (_, search_in, _) = parse(&[("search", search), ("search_values", flag)]).unwrap();
            assert_eq!(search_in, expected, "{search} {flag}");
        }
    }

    #[test]
    fn the_number_of_keys_is_bounded_without_duplicates() {
        let keys = |number: usize| (0..number).map(|key| format!("k{key},")).collect::<String>();
        assert_eq!(parse(&[("keys", &(keys(100) + &keys(100)))]).unwrap().2.len(), 100);
        let error = parse(&[("keys", &keys(101))]).unwrap_err();
        assert_eq!((error.status().as_u16(), error.detail()), (400, "keys: 101 keys are more than 100"));
    }
}
