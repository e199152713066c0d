//! `logs/sampling_rules`, `logs/retention_rules`, `logs/metric_rules`: rules for a project's logs.
//!
//! The three kinds have one life in common: they are listed, made, changed, ordered and removed the same way. What a
//! rule of a kind says is in [`sampling`], [`retention`] and [`metric`]; `resource` is what they share.

mod filter_group;
mod metric;
mod prometheus;
mod resource;
mod retention;
mod sampling;
mod sampling_config;
mod simulate;

use axum::Router;
use axum::routing::{get, post};

use crate::state::AppState;
use metric::MetricKind;
use resource::Kind;
use retention::RetentionKind;
use sampling::SamplingKind;

pub(crate) use metric::model as metric_rule;
pub(crate) use retention::model as retention_rule;
pub(crate) use sampling::model as sampling_rule;

/// The endpoints, below the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .merge(crud::<SamplingKind>("/logs/sampling_rules"))
        .merge(crud::<RetentionKind>("/logs/retention_rules"))
        .merge(crud::<MetricKind>("/logs/metric_rules"))
        .route("/logs/sampling_rules/{rule_id}/simulate", post(simulate::simulate))
        .route("/logs/retention_rules/suggest_name", post(retention::suggest_name))
        .route("/logs/metric_rules/metrics", get(prometheus::metrics))
}

fn crud<K: Kind>(path: &str) -> Router<AppState> {
    let one = get(resource::retrieve::<K>)
        .patch(resource::change::<K>)
        .put(resource::replace::<K>)
        .delete(resource::remove::<K>);
    Router::new()
        .route(path, get(resource::list::<K>).post(resource::create::<K>))
        .route(&format!("{path}/reorder"), post(resource::reorder::<K>))
        .route(&format!("{path}/{{rule_id}}"), one)
}
