//! Rules for a project's logs. Rules that only measure need no approval of anybody.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::AnyConnection;

use super::{Action, By, Changed, Done, Gated, Resource, project_of};
use crate::api::rules::{recheck, refused, rule_not_found};
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::meta::rule::{self, RuleContent, RuleKind};

const CREATE: usize = 0;
const UPDATE: usize = 1;
const DELETE: usize = 2;

pub(super) const SAMPLING: &[Action] = &[
    Action::new("logs_sampling_rule.create", "logs_sampling_rule", "Create a sampling rule"),
    Action::new("logs_sampling_rule.update", "logs_sampling_rule", "Change a sampling rule"),
    Action::new("logs_sampling_rule.delete", "logs_sampling_rule", "Delete a sampling rule"),
];

pub(super) const RETENTION: &[Action] = &[
    Action::new("logs_retention_rule.create", "logs_retention_rule", "Create a retention rule"),
    Action::new("logs_retention_rule.update", "logs_retention_rule", "Change a retention rule"),
    Action::new("logs_retention_rule.delete", "logs_retention_rule", "Delete a retention rule"),
];

/// What stands for all rules of a kind where their order is changed.
const ORDER: &str = "order";

/// A write of a rule.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "write", rename_all = "snake_case")]
pub(crate) enum RuleWrite {
    /// Makes one.
    Create {
        /// Of which kind.
        kind: RuleKind,
        /// All of it.
        rule: RuleContent,
    },
    /// Changes one.
    Change {
        /// Of which kind.
        kind: RuleKind,
        /// UUID text.
        rule_id: String,
        /// All of it, as it is to be.
        rule: RuleContent,
    },
    /// Removes one.
    Delete {
        /// Of which kind.
        kind: RuleKind,
        /// UUID text.
        rule_id: String,
    },
    /// Gives all of a kind an order.
    Reorder {
        /// Of which kind.
        kind: RuleKind,
        /// Every rule of the kind, once.
        ordered_ids: Vec<String>,
    },
}

impl RuleWrite {
    fn kind(&self) -> RuleKind {
        match self {
            Self::Create { kind, .. }
            | Self::Change { kind, .. }
            | Self::Delete { kind, .. }
            | Self::Reorder { kind, .. } => *kind,
        }
    }
}

impl Gated for RuleWrite {
    fn actions(&self) -> &'static [Action] {
        match self.kind() {
            RuleKind::Sampling => SAMPLING,
            RuleKind::Retention => RETENTION,
            RuleKind::Metric => &[],
        }
    }

    fn resource_id(&self) -> Option<String> {
        match self {
            Self::Create { .. } => None,
            Self::Change { rule_id, .. } | Self::Delete { rule_id, .. } => Some(rule_id.clone()),
            Self::Reorder { .. } => Some(ORDER.to_owned()),
        }
    }

    fn natural_key(&self, _user_id: i64) -> String {
        self.new_name()
    }

    fn new_name(&self) -> String {
        match self {
            Self::Create { rule, .. } => rule.name.clone(),
            Self::Change { .. } | Self::Delete { .. } | Self::Reorder { .. } => String::new(),
        }
    }

    fn detect(&self, changed: &Changed) -> Vec<&'static Action> {
        let action = match self {
            Self::Create { .. } => CREATE,
            Self::Delete { .. } => DELETE,
            Self::Change { .. } | Self::Reorder { .. } if changed.is_nothing() => return Vec::new(),
            Self::Change { .. } | Self::Reorder { .. } => UPDATE,
        };
        self.actions().get(action).into_iter().collect()
    }

    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        let of = (project_of(place)?, self.kind());
        if id == ORDER {
            let rules = rule::of_project(connection, of.0, of.1).await?;
            let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
            let fields = Map::from_iter([("ordered_ids".to_owned(), json!(ids))]);
            let updated_us = rules.iter().map(|rule| rule.updated_at_us).max().unwrap_or(0);
            let name = "the order of the rules".to_owned();
            return Ok(Some(Resource { id: id.to_owned(), name, fields, updated_us }));
        }
        let found = rule::find(connection, of, id).await?;
        Ok(found.map(|rule| Resource {
            id: rule.id.clone(),
            name: rule.name.clone(),
            fields: shown(rule::fields(&rule)),
            updated_us: rule.updated_at_us,
        }))
    }

    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        let kind = self.kind();
        let of = (project_of(by.place)?, kind);
        if by.is_replay
            && let Self::Create { rule, .. } | Self::Change { rule, .. } = self
        {
            let rules = rule::of_project(connection, of.0, kind).await?;
            recheck(kind, self.resource_id().as_deref(), rule, &rules)?;
        }
        match self {
            Self::Create { rule, .. } => {
                let added = rule::add(connection, of, rule, by.actor, now_us).await;
                Ok(Done::to(added.map_err(|error| refused(kind, error))?))
            }
            Self::Change { rule_id, rule, .. } => {
                let changed = rule::change(connection, of, rule_id, rule, by.actor, now_us).await;
                match changed.map_err(|error| refused(kind, error))? {
                    true => Ok(Done::to(rule_id)),
                    false => Err(rule_not_found()),
                }
            }
            Self::Delete { rule_id, .. } => {
                match rule::remove(connection, of, rule_id, by.actor, now_us).await? {
                    true => Ok(Done::to(rule_id)),
                    false => Err(rule_not_found()),
                }
            }
            Self::Reorder { ordered_ids, .. } => {
                let reordered = rule::reorder(connection, of, ordered_ids, by.actor, now_us).await;
                reordered.map_err(|error| refused(kind, error))?;
                Ok(Done::to(ORDER))
            }
        }
    }
}

/// What is null in a rule is not said.
fn shown(mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    fields
}
