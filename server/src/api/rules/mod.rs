//! `logs/sampling_rules`, `logs/retention_rules`, `logs/metric_rules`: rules for a project's logs.
//!
//! The three kinds have one life in common: they are listed, made, changed, ordered and removed the same way. What a
//! rule of a kind says is in [`sampling`], [`retention`] and [`metric`]; `resource` is what they share.

mod described;
mod filter_group;
mod metric;
mod prometheus;
mod resource;
mod retention;
mod sampling;
mod sampling_config;
mod simulate;

use crate::api::openapi::{Routes, get, post};
use crate::error::ApiError;
use crate::meta::rule::{Rule, RuleContent, RuleError, RuleKind};
use metric::MetricKind;
use resource::Kind;
use retention::RetentionKind;
use sampling::SamplingKind;

pub(crate) use metric::model as metric_rule;
pub(crate) use resource::not_found as rule_not_found;
pub(crate) use retention::model as retention_rule;
pub(crate) use sampling::model as sampling_rule;

/// Refuses a rule that was validated before and is not valid any more beside the rules that there are now.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(crate) fn recheck(
    kind: RuleKind,
    id: Option<&str>,
    content: &RuleContent,
    rules: &[Rule],
) -> Result<(), ApiError> {
    match kind {
        RuleKind::Sampling => resource::recheck_of::<SamplingKind>(id, content, rules),
        RuleKind::Retention => resource::recheck_of::<RetentionKind>(id, content, rules),
        RuleKind::Metric => resource::recheck_of::<MetricKind>(id, content, rules),
    }
}

/// The answer to a write of a rule that was not stored.
pub(crate) fn refused(kind: RuleKind, error: RuleError) -> ApiError {
    let unique = match kind {
        RuleKind::Sampling => SamplingKind::UNIQUE,
        RuleKind::Retention => RetentionKind::UNIQUE,
        RuleKind::Metric => MetricKind::UNIQUE,
    };
    resource::refused_of(unique, error)
}

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    Routes::new()
        .merge(crud::<SamplingKind>("/logs/sampling_rules"))
        .merge(crud::<RetentionKind>("/logs/retention_rules"))
        .merge(crud::<MetricKind>("/logs/metric_rules"))
        .at("/logs/sampling_rules/{rule_id}/simulate", post(simulate::simulate, described::simulate()))
        .at("/logs/retention_rules/suggest_name", post(retention::suggest_name, described::suggest_name()))
        .at("/logs/metric_rules/metrics", get(prometheus::metrics, described::metrics()))
}

fn crud<K: Kind>(path: &str) -> Routes {
    let one = get(resource::retrieve::<K>, described::retrieve::<K>())
        .patch(resource::change::<K>, described::change::<K>())
        .put(resource::replace::<K>, described::replace::<K>())
        .delete(resource::remove::<K>, described::remove());
    let all = get(resource::list::<K>, described::list::<K>())
        .post(resource::create::<K>, described::create::<K>());
    Routes::new()
        .at(path, all)
        .at(&format!("{path}/reorder"), post(resource::reorder::<K>, described::reorder::<K>()))
        .at(&format!("{path}/{{rule_id}}"), one)
}
