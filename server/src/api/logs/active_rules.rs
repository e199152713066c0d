//! Which drop rules could apply to a service.

use engine::schema::ProjectId;

use crate::error::ApiError;
use crate::meta::rule::RuleKind;
use crate::rules::active::EnabledRules;
use crate::state::AppState;

/// A rule as `logs/services` lists it: `rule_id`, `rule_name`, `summary_string`.
pub(super) use crate::rules::active::ActiveRule;

/// The enabled drop rules of a project that could apply to each of `service_names`, in the order of the names.
///
/// # Errors
/// 500 when the rules cannot be read.
pub(super) async fn active_rules(
    state: &AppState,
    project: ProjectId,
    service_names: &[&str],
) -> Result<Vec<Vec<ActiveRule>>, ApiError> {
    let rules = EnabledRules::of(&state.meta().rules(project, RuleKind::Sampling).await?);
    Ok(service_names.iter().map(|name| rules.that_could_apply(name)).collect())
}
