//! Drop rules: which records are not stored.

use engine::rules::{SamplingRule, SamplingRules};
use serde_json::{Value, json};

use super::resource::{Draft, Kind, definition_of};
use super::sampling_config;
use crate::error::ApiError;
use crate::meta::rule::{Rule, RuleKind};

/// Drop rules.
pub(super) struct SamplingKind;

impl Kind for SamplingKind {
    const KIND: RuleKind = RuleKind::Sampling;

    fn members() -> Vec<(&'static str, Value)> {
        vec![
            ("rule_type", Value::Null),
            ("scope_service", Value::Null),
            ("scope_path_pattern", Value::Null),
            ("scope_attribute_filters", json!([])),
            ("config", Value::Null),
        ]
    }

    fn check(rule: &Draft, _rules: &[Draft]) -> Result<(), ApiError> {
        let parsed = sampling_config::parse(&rule.definition, &rule.id, 0)?;
        SamplingRules::compile(vec![parsed], None)?;
        Ok(())
    }
}

/// A stored rule as the engine's model.
///
/// # Errors
/// When it is not what could have been stored.
pub(crate) fn model(rule: &Rule) -> Result<SamplingRule, ApiError> {
    sampling_config::parse(&definition_of(rule)?, &rule.id, rule.version)
}
