//! `POST logs/facet_values`: the values of columns and attributes, each as if nothing was asked of it.

use axum::Json;
use axum::extract::State;
use engine::query::{AttributeSource, Facet, FacetsRequest, Rounding, ValueCount};
use serde_json::{Value, json};

use super::date_range;
use super::request::{parse_identity, parse_own_filter};
use crate::api::api_call::ApiCall;
use crate::api::fields::{Fields, invalid};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// Most values of a facet.
const MAX_VALUES: usize = 100;
/// Most keys of a list.
const MAX_KEYS: usize = 50;

/// Members that name one facet.
const FIELD: &str = "facetField";
const RESOURCE_ATTRIBUTE: &str = "facetResourceAttribute";
const ATTRIBUTE: &str = "facetAttribute";
/// Members that name several.
const RESOURCE_ATTRIBUTES: &str = "facetResourceAttributes";
const ATTRIBUTES: &str = "facetAttributes";

pub(super) async fn facet_values(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let query = super::query_or_defaults(&call.into_json()?)?;
    let query = Fields::of(&query, "")?;
    let asked = Asked::parse(&query)?;
    let search = query.text("facetSearch")?.unwrap_or_default().to_owned();
    let (filter, scope) = (parse_own_filter(&query)?, parse_identity(&query)?);
    let range = date_range::or_last_hour(&query)?.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let request = FacetsRequest { filter, scope, range, facets: asked.facets(), search, limit: MAX_VALUES };
    let values = state.engine().facets(project, request).await;
    let values = values.map_err(|error| ApiError::from(error).simple_if_bad_request())?;
    Ok(Json(json!({ "results": asked.written(&values) })))
}

/// Which facets are asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    One(Facet),
    /// Keys without duplicates.
    Lists {
        resource_attributes: Vec<String>,
        attributes: Vec<String>,
    },
}

impl Asked {
    fn parse(query: &Fields<'_>) -> Result<Self, ApiError> {
        let one = parse_one(query)?;
        let resource_attributes = parse_keys(query, RESOURCE_ATTRIBUTES)?;
        let attributes = parse_keys(query, ATTRIBUTES)?;
        if resource_attributes.is_none() && attributes.is_none() {
            let words = [FIELD, RESOURCE_ATTRIBUTE, ATTRIBUTE].join(", ");
            return one.map(Self::One).ok_or_else(|| invalid(FIELD, &format!("one of {words} is needed")));
        }
        let (resource_attributes, attributes) =
            (resource_attributes.unwrap_or_default(), attributes.unwrap_or_default());
        match one {
            None => Ok(Self::Lists { resource_attributes, attributes }),
            Some(one) if resource_attributes.is_empty() && attributes.is_empty() => Ok(Self::One(one)),
            Some(_) => {
                let list = if attributes.is_empty() { RESOURCE_ATTRIBUTES } else { ATTRIBUTES };
                Err(invalid(list, "a list cannot be asked for together with one facet"))
            }
        }
    }

    /// In the order in which their values are written.
    fn facets(&self) -> Vec<Facet> {
        match self {
            Self::One(facet) => vec![facet.clone()],
            Self::Lists { resource_attributes, attributes } => {
                let of = |source| move |key: &String| Facet::Attribute { source, key: key.clone() };
                let resource = resource_attributes.iter().map(of(AttributeSource::Resource));
                resource.chain(attributes.iter().map(of(AttributeSource::Record))).collect()
            }
        }
    }

    fn written(&self, values: &[Vec<ValueCount>]) -> Value {
        match self {
            Self::One(_) => values.first().map_or_else(|| json!([]), |values| written(values)),
            Self::Lists { resource_attributes, attributes } => {
                let (of_resource, of_record) = values.split_at(resource_attributes.len().min(values.len()));
                json!({
                    "facetField": [],
                    RESOURCE_ATTRIBUTES: written_by_key(resource_attributes, of_resource),
                    ATTRIBUTES: written_by_key(attributes, of_record),
                })
            }
        }
    }
}

fn parse_one(query: &Fields<'_>) -> Result<Option<Facet>, ApiError> {
    let field = match query.filled_text(FIELD)? {
        None => None,
        Some("severity_text") => Some(Facet::Severity),
        Some("service_name") => Some(Facet::Service),
        Some(other) => {
            return Err(invalid(FIELD, &format!("{other:?} is not one of severity_text, service_name")));
        }
    };
    let attribute = |member, source| {
        let key = query.filled_text(member)?;
        Ok::<_, ApiError>(key.map(|key| Facet::Attribute { source, key: key.to_owned() }))
    };
    let resource_attribute = attribute(RESOURCE_ATTRIBUTE, AttributeSource::Resource)?;
    let attribute = attribute(ATTRIBUTE, AttributeSource::Record)?;
    let named = [(FIELD, field), (RESOURCE_ATTRIBUTE, resource_attribute), (ATTRIBUTE, attribute)];
    let mut named = named.into_iter().filter_map(|(member, facet)| Some((member, facet?)));
    let first = named.next();
    match named.next() {
        Some((member, _)) => Err(invalid(member, "only one facet can be asked for, or lists of them")),
        None => Ok(first.map(|(_, facet)| facet)),
    }
}

/// The keys of a list without duplicates; none when the member is absent.
fn parse_keys(query: &Fields<'_>, member: &str) -> Result<Option<Vec<String>>, ApiError> {
    if query.get(member).is_none() {
        return Ok(None);
    }
    let mut keys: Vec<String> = Vec::new();
    for key in query.texts(member)? {
        if !keys.contains(&key) {
            keys.push(key);
        }
        if keys.len() > MAX_KEYS {
            return Err(invalid(member, &format!("more than {MAX_KEYS} keys")));
        }
    }
    Ok(Some(keys))
}

fn written(values: &[ValueCount]) -> Value {
    values.iter().map(|ValueCount { value, count }| json!({ "value": value, "count": count })).collect()
}

fn written_by_key(keys: &[String], values: &[Vec<ValueCount>]) -> Value {
    let by_key = keys.iter().zip(values);
    by_key.map(|(key, values)| json!({ "key": key, "values": written(values) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &Value) -> Result<Asked, String> {
        Asked::parse(&Fields::of(query, "").unwrap()).map_err(|error| error.to_string())
    }

    fn attribute(source: AttributeSource, key: &str) -> Facet {
        Facet::Attribute { source, key: key.to_owned() }
    }

    #[test]
    fn one_facet_or_lists_of_them_are_asked_for() {
        for (query, facet) in [
            (json!({ "facetField": "severity_text" }), Facet::Severity),
            (json!({ "facetField": "service_name", "facetAttribute": null }), Facet::Service),
            (json!({ "facetResourceAttribute": "k" }), attribute(AttributeSource::Resource, "k")),
            (
                json!({ "facetAttribute": "k", "facetAttributes": [] }),
                attribute(AttributeSource::Record, "k"),
            ),
        ] {
            assert_eq!(parse(&query), Ok(Asked::One(facet)), "{query}");
        }
        let query = json!({ "facetAttributes": ["a", "b", "a"], "facetResourceAttributes": ["c"] });
        let facets = [
            attribute(AttributeSource::Resource, "c"),
            attribute(AttributeSource::Record, "a"),
            attribute(AttributeSource::Record, "b"),
        ];
        assert_eq!(parse(&query).unwrap().facets(), facets);
        assert_eq!(parse(&json!({ "facetAttributes": [] })).unwrap().facets(), []);
    }

    #[test]
    fn other_combinations_are_named() {
        let keys: Vec<String> = (0..=MAX_KEYS).map(|key| key.to_string()).collect();
        for (query, expected) in [
            (json!({}), "facetField: one of facetField, facetResourceAttribute, facetAttribute is needed"),
            (
                json!({ "facetField": "" }),
                "facetField: one of facetField, facetResourceAttribute, facetAttribute is needed",
            ),
            (
                json!({ "facetField": "body" }),
                "facetField: \"body\" is not one of severity_text, service_name",
            ),
            (
                json!({ "facetField": "service_name", "facetAttribute": "a" }),
                "facetAttribute: only one facet can be asked for, or lists of them",
            ),
            (
                json!({ "facetField": "service_name", "facetAttributes": ["a"] }),
                "facetAttributes: a list cannot be asked for together with one facet",
            ),
            (
                json!({ "facetAttribute": "b", "facetResourceAttributes": ["a"] }),
                "facetResourceAttributes: a list cannot be asked for together with one facet",
            ),
            (json!({ "facetAttributes": keys }), "facetAttributes: more than 50 keys"),
            (json!({ "facetAttributes": [1] }), "facetAttributes[0]: expected a string, found a number"),
            (json!({ "facetAttribute": [] }), "facetAttribute: expected a string, found a list"),
        ] {
            assert_eq!(parse(&query), Err(format!("400 parse_error: {expected}")), "{query}");
        }
    }
}
