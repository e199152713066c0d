//! A policy that was checked, its conditions ready to be tested.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::DFSchema;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{Expr, SessionContext, lit};

use super::DAY_US;
use super::policy::{RetentionPolicy, RetentionRule};
use crate::error::{Error, Result};
use crate::query::filter::{FilterContext, translate};
use crate::query::model::{FilterLeaf, FilterNode, LogFilter};
use crate::schema::{Dataset, columns, logs_schema};

/// A policy that was checked, its conditions ready to be tested.
#[derive(Debug)]
pub struct CompiledRetention {
    dataset: Dataset,
    policy: RetentionPolicy,
    /// The condition of each rule, over the stored schema; never null.
    conditions: Vec<Arc<dyn PhysicalExpr>>,
    /// The same for the planner.
    expressions: Vec<Expr>,
}

impl CompiledRetention {
    /// Checks a policy for logs and compiles its filters; see [`of`](Self::of).
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn new(policy: RetentionPolicy) -> Result<Self> {
        Self::of(Dataset::Logs, policy)
    }

    /// Checks a policy for rows of a dataset and compiles its filters, which takes some milliseconds for a hundred patterns.
    ///
    /// A rule deletes rows, so that nothing in it may mean more than it says: it must have a condition, each
    /// condition must say something, and it must say the same at any time.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming the member or the condition.
    pub fn of(dataset: Dataset, policy: RetentionPolicy) -> Result<Self> {
        policy.check_bounds()?;
        if dataset != Dataset::Logs && !policy.rules.is_empty() {
            let message = format!("rules: rows of {} are kept by their age alone", dataset.as_str());
            return Err(Error::invalid_request(message));
        }
        // Every row may be tested against all rules, so that they may have together what one filter may have.
        let all = policy.rules.iter().flat_map(|rule| rule.filter.properties.iter().cloned());
        translate(&LogFilter { properties: all.collect(), ..LogFilter::default() }, &AT_ANY_TIME)?;
        let expressions = policy.rules.iter().enumerate().map(|(index, rule)| condition(index, rule));
        let expressions = expressions.collect::<Result<Vec<Expr>>>()?;
        let conditions = physical(&expressions).map_err(|error| {
            Error::internal("cannot make the conditions of retention rules").with_source(error)
        })?;
        Ok(Self { dataset, policy, conditions, expressions })
    }

    /// What the rows are.
    pub fn dataset(&self) -> Dataset {
        self.dataset
    }

    /// The columns whose earliest time is the age of a row. Entries of the audit trail may be dated by whoever
    /// imports them, and only what came in first may leave first.
    pub(crate) fn age_columns(&self) -> &'static [&'static str] {
        match self.dataset {
            Dataset::Logs => &[columns::TIMESTAMP, columns::INGESTED_TIMESTAMP],
            Dataset::Activity => &[columns::INGESTED_TIMESTAMP],
        }
    }

    /// What was asked for.
    pub fn policy(&self) -> &RetentionPolicy {
        &self.policy
    }

    pub(crate) fn conditions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.conditions
    }

    pub(crate) fn expressions(&self) -> &[Expr] {
        &self.expressions
    }

    /// Before which time rows have expired at an instant, microseconds: those of each rule, then those that no
    /// rule is for. The lowest number there is stands for never.
    pub(super) fn cutoffs(&self, now_us: i64) -> Vec<i64> {
        if let Some(kept_from_us) = self.policy.kept_from_us {
            return vec![kept_from_us.min(now_us)];
        }
        let days = self.policy.rules.iter().map(|rule| rule.days).chain([self.policy.days]);
        days.map(|days| match days {
            Some(days) => now_us.saturating_sub(i64::from(days) * DAY_US),
            None => i64::MIN,
        })
        .collect()
    }
}

/// No condition of a rule may depend on the time it is asked at.
const AT_ANY_TIME: FilterContext = FilterContext { now_us: 0 };
const AT_ANOTHER_TIME: FilterContext = FilterContext { now_us: 1_765_881_156_184_820 };

/// The condition that a rule is for a row.
fn condition(index: usize, rule: &RetentionRule) -> Result<Expr> {
    for node in &rule.filter.properties {
        check_node(node)?;
    }
    let condition = translate(&rule.filter, &AT_ANY_TIME)?;
    if condition == lit(true) {
        let message = format!("rules[{index}]: the filter has no condition, so that it is for every row");
        return Err(Error::invalid_request(message));
    }
    Ok(condition)
}

fn check_node(node: &FilterNode) -> Result<()> {
    match node {
        FilterNode::Leaf(leaf) => check_leaf(leaf),
        FilterNode::Group { nodes, .. } => nodes.iter().try_for_each(check_node),
    }
}

fn check_leaf(leaf: &FilterLeaf) -> Result<()> {
    let filter = LogFilter { properties: vec![FilterNode::Leaf(leaf.clone())], ..LogFilter::default() };
    let condition = translate(&filter, &AT_ANY_TIME)?;
    if condition == lit(true) {
        let message = format!("{}: the condition says nothing, and a retention rule deletes", leaf.path);
        return Err(Error::invalid_request(message));
    }
    if condition != translate(&filter, &AT_ANOTHER_TIME)? {
        let message = format!("{}: a retention rule cannot depend on a date", leaf.path);
        return Err(Error::invalid_request(message));
    }
    Ok(())
}

fn physical(expressions: &[Expr]) -> datafusion::common::Result<Vec<Arc<dyn PhysicalExpr>>> {
    if expressions.is_empty() {
        return Ok(Vec::new());
    }
    let schema: SchemaRef = logs_schema();
    let schema = DFSchema::try_from(schema)?;
    let session = SessionContext::new();
    expressions.iter().map(|expression| session.create_physical_expr(expression.clone(), &schema)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::model::{Namespace, Operand, Operator, Scalar};

    fn leaf(namespace: Namespace, key: &str, operator: Operator, operand: Operand) -> FilterNode {
        FilterNode::Leaf(FilterLeaf {
            path: "rules[0].filter_group[0]".into(),
            key: key.into(),
            namespace,
            operator,
            operand,
        })
    }

    fn text(text: &str) -> Operand {
        Operand::One(Scalar::Text(text.into()))
    }

    fn with_rule(properties: Vec<FilterNode>) -> RetentionPolicy {
        let filter = LogFilter { properties, ..LogFilter::default() };
        RetentionPolicy {
            days: Some(30),
            rules: vec![RetentionRule { name: "r".into(), filter, days: Some(3) }],
            kept_from_us: None,
        }
    }

    #[track_caller]
    fn refused(policy: RetentionPolicy, expected: &str) {
        let error = CompiledRetention::new(policy).unwrap_err();
        assert!(error.message().contains(expected), "{}", error.message());
    }

    #[test]
    fn days_are_bounded() {
        for days in [None, Some(1), Some(MAX)] {
            CompiledRetention::new(RetentionPolicy::of_days(days)).unwrap();
        }
        for days in [0, MAX + 1, u32::MAX] {
            refused(
                RetentionPolicy::of_days(Some(days)),
                &format!("days: {days} is not a number of days from 1 to 36500"),
            );
            let mut policy = with_rule(vec![leaf(Namespace::LogAttribute, "a", Operator::Exact, text("x"))]);
            policy.rules[0].days = Some(days);
            refused(policy, "rules[0].days");
        }
    }

    const MAX: u32 = super::super::MAX_RETENTION_DAYS;

    #[test]
    fn rules_are_bounded_in_number_and_together() {
        let rule = |operand: Operand| {
            with_rule(vec![leaf(Namespace::LogAttribute, "a", Operator::Icontains, operand)]).rules.remove(0)
        };
        let policy = |rules| RetentionPolicy { rules, ..RetentionPolicy::default() };
        CompiledRetention::new(policy(vec![rule(text("x")); 100])).unwrap();
        refused(policy(vec![rule(text("x")); 101]), "101 retention rules are more than 100");
        let many = Operand::Many(vec![Scalar::Text("x".into()); 60]);
        refused(policy(vec![rule(many.clone()), rule(many)]), "more than 100 texts to search for");
        let mut unnamed = rule(text("x"));
        unnamed.name.clear();
        refused(policy(vec![unnamed]), "rules[0].name");
    }

    #[test]
    fn a_rule_for_every_row_by_mistake_is_refused() {
        refused(with_rule(Vec::new()), "rules[0]: the filter has no condition");
        let says = leaf(Namespace::LogAttribute, "a", Operator::Exact, text("x"));
        for nothing in [
            leaf(Namespace::LogAttribute, "a", Operator::Exact, Operand::Absent),
            leaf(Namespace::LogAttribute, "a", Operator::Exact, text("")),
            leaf(Namespace::Log, "service_name", Operator::Exact, Operand::Many(Vec::new())),
            leaf(Namespace::Log, "service_name", Operator::IsSet, Operand::Absent),
        ] {
            refused(
                with_rule(vec![says.clone(), nothing]),
                "rules[0].filter_group[0]: the condition says nothing",
            );
        }
    }

    #[test]
    fn a_rule_means_the_same_at_any_time() {
        for dated in [
            leaf(Namespace::Log, "timestamp", Operator::Gt, text("-1h")),
            leaf(Namespace::LogAttribute, "at", Operator::IsDateBefore, text("-7d")),
        ] {
            refused(with_rule(vec![dated]), "a retention rule cannot depend on a date");
        }
        let absolute = leaf(Namespace::Log, "timestamp", Operator::Gt, text("2025-12-16"));
        CompiledRetention::new(with_rule(vec![absolute])).unwrap();
    }

    #[test]
    fn what_a_filter_cannot_mean_is_refused() {
        refused(
            with_rule(vec![leaf(Namespace::LogAttribute, "a", Operator::Regex, text("("))]),
            "filter_group[0]",
        );
        refused(with_rule(vec![leaf(Namespace::Log, "nothing", Operator::Exact, text("x"))]), "no column");
    }
}
