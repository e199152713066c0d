//! Functions of SQL beside those of DataFusion.
//!
//! | module | functions |
//! |---|---|
//! | `attribute` | `attribute`, `attribute_number`, `attribute_boolean`, `attribute_timestamp`, `attribute_keys` |
//! | `json` | `json_get`, `json_text`, `json_number`, `json_boolean`, `json_length`, `json_keys`; the operators `->`, `->>` |
//! | `text` | `parse_severity`, `template`, `uuid_text`, `to_number`, `to_boolean`, `to_time` |
//! | `time_bucket` | `time_bucket` |
//! | `bounded` | what would make more of a value than there is memory for is refused |
//! | `slow` | what would take too long over long texts is refused |
//! | `operators` | operators, and what text means beside an id |

mod attribute;
mod bounded;
mod json;
mod operators;
mod slow;
mod text;
mod time_bucket;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::prelude::SessionContext;

use super::stop::Stop;

/// Adds the functions to a session, and takes those away that no statement may call.
pub(super) fn install(mut state: SessionState) -> Result<SessionState> {
    bounded::restrict(&mut state)?;
    let own = attribute::functions().into_iter().chain(json::functions()).chain(text::functions());
    for function in own.chain([time_bucket::function()]) {
        state.register_udf(Arc::new(function))?;
    }
    // Ours first: they are asked in order.
    let own: Arc<dyn ExprPlanner> = Arc::new(operators::Operators);
    let planners = [own].into_iter().chain(state.expr_planners().iter().cloned()).collect();
    Ok(SessionStateBuilder::new_from_existing(state).with_expr_planners(planners).build())
}

/// Lets the functions of a session end that would otherwise run on.
pub(super) fn end_with(session: &SessionContext, stop: &Arc<Stop>) -> Result<()> {
    slow::restrict(&mut session.state_ref().write(), stop)
}

/// A function of our own, as `system.functions` describes it.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) call: &'static str,
    /// As PostgreSQL calls the type.
    pub(super) gives: &'static str,
    pub(super) says: &'static str,
}

/// What our functions do.
pub(super) const DESCRIBED: [Described; 16] = [
    Described {
        name: "attribute",
        call: "attribute(attributes, 'key')",
        gives: "text",
        says: "the text of an attribute, null where a row lacks it; attributes['key'] is the same",
    },
    Described {
        name: "attribute_number",
        call: "attribute_number(attributes, 'key')",
        gives: "double precision",
        says: "an attribute as a number, null where it is none",
    },
    Described {
        name: "attribute_boolean",
        call: "attribute_boolean(attributes, 'key')",
        gives: "boolean",
        says: "an attribute that is true or false, null where it is neither",
    },
    Described {
        name: "attribute_timestamp",
        call: "attribute_timestamp(attributes, 'key')",
        gives: "timestamp with time zone",
        says: "an attribute as a time: ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970",
    },
    Described {
        name: "attribute_keys",
        call: "attribute_keys(attributes)",
        gives: "text[]",
        says: "the keys of a row's attributes, as a list",
    },
    Described {
        name: "json_get",
        call: "json_get(body, 'key', 0, ...)",
        gives: "text",
        says: "the part of a JSON text at a path, as JSON text; body -> 'key' is the same",
    },
    Described {
        name: "json_text",
        call: "json_text(body, 'key', 0, ...)",
        gives: "text",
        says: "the same without the quotes of a string; body ->> 'key' is the same",
    },
    Described {
        name: "json_number",
        call: "json_number(body, 'key', ...)",
        gives: "double precision",
        says: "the number at a path, null where there is none",
    },
    Described {
        name: "json_boolean",
        call: "json_boolean(body, 'key', ...)",
        gives: "boolean",
        says: "the truth value at a path, null where there is none",
    },
    Described {
        name: "json_length",
        call: "json_length(body, 'key', ...)",
        gives: "bigint",
        says: "how many entries the list or members the object at a path has",
    },
    Described {
        name: "json_keys",
        call: "json_keys(body, 'key', ...)",
        gives: "text[]",
        says: "the names of the members of the object at a path, as a list",
    },
    Described {
        name: "time_bucket",
        call: "time_bucket('5 minutes', timestamp)",
        gives: "timestamp with time zone",
        says: "where the bucket of this width begins that a time is in; also '30s', '5m', '1h', '1d', '1w'",
    },
    Described {
        name: "parse_severity",
        call: "parse_severity('WARNING')",
        gives: "text",
        says: "the severity that a word or an OpenTelemetry number means; info when it means nothing",
    },
    Described {
        name: "template",
        call: "template(body)",
        gives: "text",
        says: "a body with markers in place of its numbers, ids and times",
    },
    Described {
        name: "uuid_text",
        call: "uuid_text(uuid)",
        gives: "text",
        says: "16 bytes as the text of a UUID",
    },
    Described {
        name: "to_number",
        call: "to_number(body)",
        gives: "double precision",
        says: "a text as a number, null where it is none",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_there_and_what_is_ours_is_described() {
        let state = || SessionContext::new().state();
        let (plain, ours) = (state(), install(state()).unwrap());
        let (plain, ours) = (plain.scalar_functions(), ours.scalar_functions());
        for Described { name, call, .. } in &DESCRIBED {
            assert!(ours.contains_key(*name) && call.starts_with(name), "{name}");
        }
        for name in ours.keys().filter(|name| !plain.contains_key(*name)) {
            let is_described = DESCRIBED.iter().any(|described| described.name == name);
            let is_internal = ["to_boolean", "to_time"].contains(&name.as_str());
            assert!(is_described || is_internal, "{name}");
        }
    }
}
