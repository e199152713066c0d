//! What filters mean, entry by entry, written without the engine's own code.

use engine::activity::{ActivityEntry, StoredEntry};
use engine::query::{ActivityFilter, ActivityTenant, DetailTest, DetailValue};
use serde_json::Value;

pub(super) fn passes(filter: &ActivityFilter, stored: &StoredEntry) -> bool {
    let entry = &stored.entry;
    let is_any = |wanted: &[String], value: Option<&String>| {
        wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
    };
    of_tenant(filter.tenant, entry)
        && !filter.hidden.iter().any(|hidden| {
            hidden.scope == entry.scope
                && hidden.activities.contains(&entry.activity)
                && (!hidden.only_impersonated || entry.was_impersonated == Some(true))
        })
        && filter.since_us.is_none_or(|since| entry.timestamp_us >= since)
        && filter.until_us.is_none_or(|until| entry.timestamp_us <= until)
        && filter.users.as_ref().is_none_or(|users| entry.user_id.is_some_and(|user| users.contains(&user)))
        && filter
            .projects
            .as_ref()
            .is_none_or(|projects| entry.project.is_some_and(|project| projects.contains(&project)))
        && is_any(&filter.scopes, Some(&entry.scope))
        && is_any(&filter.activities, Some(&entry.activity))
        && is_any(&filter.clients, entry.client.as_ref())
        && is_any(&filter.item_ids, entry.item_id.as_ref())
        && (filter.ip_addresses.is_empty()
            || entry.ip_address.as_ref().is_some_and(|address| {
                filter.ip_addresses.iter().any(|pattern| matches(pattern.as_bytes(), address.as_bytes()))
            }))
        && filter.was_impersonated.is_none_or(|flag| entry.was_impersonated == Some(flag))
        && filter.is_system.is_none_or(|flag| entry.is_system == Some(flag))
        && filter.search.as_deref().is_none_or(|search| {
            let lower = |text: &str| text.to_lowercase();
            entry.detail.as_ref().is_some_and(|detail| lower(detail).contains(&lower(search)))
                || search.is_empty()
        })
        && (filter.details.is_empty()
            || entry.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok()).is_some_and(
                |detail: Value| {
                    filter.details.iter().all(|(path, test)| {
                        let mut found = Vec::new();
                        follow(&detail, &path.to_string(), &mut found);
                        found.iter().any(|value| holds(test, value))
                    })
                },
            ))
}

fn of_tenant(tenant: ActivityTenant, entry: &ActivityEntry) -> bool {
    match tenant {
        ActivityTenant::Organization => true,
        ActivityTenant::Project { project, with_organization } => {
            entry.project == Some(project) || with_organization && entry.project.is_none()
        }
    }
}

/// Whether a pattern with `*` is an address.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| matches(rest, &text[skip..])),
        (Some((one, rest)), Some((other, text))) => one.eq_ignore_ascii_case(other) && matches(rest, text),
        _ => false,
    }
}

fn follow<'v>(value: &'v Value, path: &str, found: &mut Vec<&'v Value>) {
    if path.is_empty() {
        found.push(value);
        return;
    }
    let (segment, rest) = path.split_once('.').unwrap_or((path, ""));
    let name = segment.trim_end_matches("[]");
    let member = match value {
        Value::Object(members) => members.get(name),
        Value::Array(elements) => name.parse::<usize>().ok().and_then(|index| elements.get(index)),
        _ => None,
    };
    match member {
        Some(Value::Array(elements)) if segment.ends_with("[]") => {
            elements.iter().for_each(|element| follow(element, rest, found));
        }
        Some(_) if segment.ends_with("[]") => {}
        Some(member) => follow(member, rest, found),
        None => {}
    }
}

fn holds(test: &DetailTest, value: &Value) -> bool {
    match test {
        _ if value.is_null() => false,
        DetailTest::IsAny(accepted) => accepted.iter().any(|accepted| match (accepted, value) {
            (DetailValue::Text(text), Value::String(other)) => text == other,
            (DetailValue::Number(number), Value::Number(other)) => number.as_f64() == other.as_f64(),
            (DetailValue::Bool(flag), Value::Bool(other)) => flag == other,
            _ => false,
        }),
        DetailTest::Contains(needle) => {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string().replace(':', ": ").replace(',', ", "),
            };
            text.to_lowercase().contains(&needle.to_lowercase())
        }
    }
}
