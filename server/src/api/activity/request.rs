//! What a request about the trail means.

use engine::query::{ActivityExpression, ActivityFilter, ActivityOrder};
use engine::schema::ProjectId;
use uuid::Uuid;

use super::access::Reader;
use super::cursor::Place;
use super::detail_filters;
use super::values::{Values, invalid};
use crate::error::ApiError;
use crate::meta::Meta;

const DEFAULT_PAGE_SIZE: usize = 100;
const MAX_PAGE_SIZE: usize = 1_000;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A page by its number, from 1.
    Page(usize),
    /// What comes behind or before a place; the beginning without one.
    Cursor(Option<Place>),
}

/// Which part of a list is wanted, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) part: Part,
    pub(super) page_size: usize,
    pub(super) order: ActivityOrder,
}

impl Paging {
    /// # Errors
    /// 400 that names the parameter, 404 for a cursor that is none.
    pub(super) fn parse(values: &Values<'_>) -> Result<Self, ApiError> {
        let number = |name: &str| -> Result<Option<usize>, ApiError> {
            let Some(text) = values.text(name)? else { return Ok(None) };
            text.parse().map(Some).map_err(|_| invalid(name, "a valid integer is required"))
        };
        let page_size = number("page_size")?.unwrap_or(DEFAULT_PAGE_SIZE);
        if !(1..=MAX_PAGE_SIZE).contains(&page_size) {
            let code = if page_size == 0 { "min_value" } else { "max_value" };
            let detail = format!("page_size: at least 1 and at most {MAX_PAGE_SIZE}");
            return Err(ApiError::validation(code, Some("page_size".to_owned()), detail));
        }
        let order = match values.text("ordering")?.as_deref() {
            None | Some("-created_at") => ActivityOrder::Latest,
            Some("created_at") => ActivityOrder::Earliest,
            Some(other) => {
                let detail = format!("ordering: {other:?} is neither created_at nor -created_at");
                return Err(ApiError::validation("invalid_choice", Some("ordering".to_owned()), detail));
            }
        };
        let part = match number("page")? {
            Some(0) => {
                return Err(ApiError::validation("min_value", Some("page".to_owned()), "page: at least 1"));
            }
            Some(page) => Part::Page(page),
            None => Part::Cursor(cursor(values)?),
        };
        Ok(Self { part, page_size, order })
    }

    /// The same where what is wrong falls back to a default.
    ///
    /// # Errors
    /// 404 for a page or a cursor that is none.
    pub(super) fn parse_leniently(values: &Values<'_>) -> Result<Self, ApiError> {
        let page_size = match values.text("page_size")?.and_then(|text| text.parse::<usize>().ok()) {
            None | Some(0) => DEFAULT_PAGE_SIZE,
            Some(page_size) => page_size.min(MAX_PAGE_SIZE),
        };
        let order = match values.text("ordering")?.as_deref() {
            Some("created_at") => ActivityOrder::Earliest,
            _ => ActivityOrder::Latest,
        };
        let part = match values.text("page")? {
            None => Part::Cursor(cursor(values)?),
            Some(page) => match page.parse() {
                Ok(page) if page > 0 => Part::Page(page),
                _ => return Err(ApiError::not_found("invalid page")),
            },
        };
        Ok(Self { part, page_size, order })
    }
}

fn cursor(values: &Values<'_>) -> Result<Option<Place>, ApiError> {
    let Some(text) = values.text("cursor")? else { return Ok(None) };
    Place::decode(&text).map(Some).ok_or_else(|| ApiError::not_found("invalid cursor"))
}

/// What a request asks for, among what its caller may read.
///
/// # Errors
/// 400 that names the member.
pub(super) async fn filter(
    values: &Values<'_>,
    reader: &Reader,
    meta: &Meta,
) -> Result<ActivityFilter, ApiError> {
    if let Some(schema) = values.text("schema")? {
        let detail = match schema.as_str() {
            "ocsf" => "schema: entries are not written as events of OCSF; leave it out".to_owned(),
            other => format!("schema: {other:?} is no schema of entries; leave it out"),
        };
        return Err(ApiError::validation("invalid_choice", Some("schema".to_owned()), detail));
    }
    let words = |name: &str| Ok::<_, ApiError>(values.list(name)?.unwrap_or_default());
    let details = match values.object("detail_filters")? {
        Some(filters) => detail_filters::parse(&filters)?,
        None => Vec::new(),
    };
    Ok(ActivityFilter {
        since_us: values.instant("start_date")?,
        until_us: values.instant("end_date")?,
        users: users(values, meta).await?,
        scopes: words("scopes")?,
        activities: words("activities")?,
        clients: words("clients")?,
        ip_addresses: ip_addresses(values)?,
        item_ids: words("item_ids")?,
        projects: projects(values)?,
        was_impersonated: values.flag("was_impersonated")?,
        is_system: values.flag("is_system")?,
        search: values.text("search_text")?,
        details,
        expression: expression(values)?,
        ..reader.everything()
    })
}

fn expression(values: &Values<'_>) -> Result<Option<ActivityExpression>, ApiError> {
    let Some(text) = values.text("hogql_filter")? else { return Ok(None) };
    ActivityExpression::parse(&text).map(Some).map_err(|error| invalid("hogql_filter", error.message()))
}

async fn users(values: &Values<'_>, meta: &Meta) -> Result<Option<Vec<i64>>, ApiError> {
    let Some(texts) = values.list("users")? else { return Ok(None) };
    if texts.is_empty() {
        return Ok(None);
    }
    let uuids = texts.iter().enumerate().map(|(index, text)| match Uuid::parse_str(text) {
        Ok(uuid) => Ok(uuid.to_string()),
        Err(_) => {
            let detail = format!("{text:?} is not a valid UUID");
            Err(ApiError::validation("invalid_input", Some(format!("users__{index}")), detail))
        }
    });
    let uuids = uuids.collect::<Result<Vec<_>, _>>()?;
    Ok(Some(meta.user_ids_of(&uuids).await?))
}

fn projects(values: &Values<'_>) -> Result<Option<Vec<ProjectId>>, ApiError> {
    let Some(texts) = values.list("team_ids")? else { return Ok(None) };
    let ids = texts.iter().enumerate().map(|(index, text)| match text.parse() {
        Ok(id) => Ok(ProjectId(id)),
        Err(_) => {
            let attr = Some(format!("team_ids__{index}"));
            Err(ApiError::validation("invalid_input", attr, "a valid integer is required"))
        }
    });
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    Ok((!ids.is_empty()).then_some(ids))
}

fn ip_addresses(values: &Values<'_>) -> Result<Vec<String>, ApiError> {
    let texts = values.list("ip_addresses")?.unwrap_or_default();
    for (index, text) in texts.iter().enumerate() {
        if !is_address_pattern(text) {
            let detail = format!("{text:?} is neither an address nor a pattern of one");
            return Err(ApiError::validation(
                "invalid_input",
                Some(format!("ip_addresses__{index}")),
                detail,
            ));
        }
    }
    Ok(texts)
}

fn is_address_pattern(text: &str) -> bool {
    let is_known = text.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.*".contains(&byte));
    let is_quad = || {
        let parts: Vec<&str> = text.split('.').collect();
        let is_octet =
            |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok();
        parts.len() == 4 && parts.iter().all(is_octet)
    };
    is_known && text.len() <= 64 && (text.contains('*') || text.contains(':') || is_quad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_patterns_are_told_from_other_text() {
        for text in ["10.0.0.1", "255.255.255.255", "::1", "2001:db8::1", "10.*", "*"] {
            assert!(is_address_pattern(text), "{text}");
        }
        for text in ["10.0.0", "10.0.0.256", "1234", "host", "10.0.0.x*", "", "10.0.0.+1"] {
            assert!(!is_address_pattern(text), "{text}");
        }
    }

    fn paging(pairs: &[(&str, &str)]) -> Result<Paging, ApiError> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Paging::parse(&Values::Query(&pairs))
    }

    #[test]
    fn a_page_selects_numbered_pages() {
        let first = paging(&[]).unwrap();
        assert_eq!(
            (first.part, first.page_size, first.order),
            (Part::Cursor(None), 100, ActivityOrder::Latest)
        );
        assert_eq!(paging(&[("page", "3"), ("page_size", "1000")]).unwrap().part, Part::Page(3));
        assert_eq!(paging(&[("page", "")]).unwrap().part, Part::Cursor(None));
        for (name, value, code) in [
            ("page", "0", "min_value"),
            ("page", "x", "invalid_input"),
            ("page", "-1", "invalid_input"),
            ("page_size", "0", "min_value"),
            ("page_size", "1001", "max_value"),
            ("page_size", "1.5", "invalid_input"),
            ("ordering", "id", "invalid_choice"),
        ] {
            let error = paging(&[(name, value)]).unwrap_err();
            assert_eq!((error.code(), error.attr()), (code, Some(name)));
        }
        assert_eq!(paging(&[("cursor", "x")]).unwrap_err().status(), 404);
    }
}
