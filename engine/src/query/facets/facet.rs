//! What values are counted of.

use std::borrow::Cow;

use datafusion::prelude::{Expr, ident};

use crate::error::Result;
use crate::index::AttributeValues;
use crate::index::attribute_values::KeyTable;
use crate::query::attribute_value::attribute_value;
use crate::query::filter::{FilterContext, translate_holding};
use crate::query::model::{FilterLeaf, LogFilter, Namespace};
use crate::schema::columns;

/// Whose attributes are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AttributeSource {
    /// The record's own.
    #[default]
    Record,
    /// Those of its resource.
    Resource,
}

impl AttributeSource {
    /// The map that holds them.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Record => columns::ATTRIBUTES,
            Self::Resource => columns::RESOURCE_ATTRIBUTES,
        }
    }

    /// What a sidecar knows of them.
    pub(super) fn known_keys(self, file: &AttributeValues) -> &KeyTable {
        match self {
            Self::Record => file.attributes(),
            Self::Resource => file.resource_attributes(),
        }
    }

    fn namespace(self) -> Namespace {
        match self {
            Self::Record => Namespace::LogAttribute,
            Self::Resource => Namespace::LogResourceAttribute,
        }
    }
}

/// Something of which every row has at most one value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    /// The severity's name.
    Severity,
    /// The service's name, empty for unnamed services.
    Service,
    /// The value of an attribute.
    Attribute {
        /// Whose.
        source: AttributeSource,
        /// Its whole key.
        key: String,
    },
}

impl Facet {
    /// A row's value; null when the row has none.
    pub(super) fn value(&self) -> Expr {
        match self {
            Self::Severity => ident(columns::SEVERITY_TEXT),
            Self::Service => ident(columns::SERVICE_NAME),
            Self::Attribute { source, key } => attribute_value(ident(source.column()), key),
        }
    }

    /// The condition that a filter means, as if every condition on the facet itself held: so the values that it rules
    /// out are counted too.
    ///
    /// # Errors
    /// As [`translate`](crate::query::filter::translate).
    pub(super) fn condition_without(&self, filter: &LogFilter, context: &FilterContext) -> Result<Expr> {
        let is_held = |leaf: &FilterLeaf| self.is_subject_of(leaf);
        translate_holding(&self.without_list(filter), context, &is_held)
    }

    /// The filter without its list of names for the facet.
    fn without_list<'a>(&self, filter: &'a LogFilter) -> Cow<'a, LogFilter> {
        match self {
            Self::Severity => Cow::Owned(LogFilter { severity_levels: Vec::new(), ..filter.clone() }),
            Self::Service => Cow::Owned(LogFilter { service_names: Vec::new(), ..filter.clone() }),
            Self::Attribute { .. } => Cow::Borrowed(filter),
        }
    }

    fn is_subject_of(&self, leaf: &FilterLeaf) -> bool {
        match self {
            Self::Severity => {
                leaf.namespace == Namespace::Log
                    && matches!(leaf.key.as_str(), "severity_level" | "level" | columns::SEVERITY_TEXT)
            }
            Self::Service => leaf.namespace == Namespace::Log && leaf.key == columns::SERVICE_NAME,
            Self::Attribute { source, key } => leaf.namespace == source.namespace() && leaf.key == *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::filter::translate;
    use crate::query::model::{FilterNode, Join, Operand, Operator, Scalar};

    const CONTEXT: FilterContext = FilterContext { now_us: 0 };

    fn leaf(namespace: Namespace, key: &str, value: &str) -> FilterNode {
        FilterNode::Leaf(FilterLeaf {
            path: String::new(),
            key: key.to_owned(),
            namespace,
            operator: Operator::Exact,
            operand: Operand::One(Scalar::Text(value.to_owned())),
        })
    }

    fn attribute(source: AttributeSource, key: &str) -> Facet {
        Facet::Attribute { source, key: key.to_owned() }
    }

    fn filter(properties: &[FilterNode]) -> LogFilter {
        LogFilter { properties: properties.to_vec(), ..LogFilter::default() }
    }

    /// Whether what is left of the filter is one of its conditions with the others true.
    #[track_caller]
    fn check(facet: &Facet, namespace: Namespace, key: &str, counts: bool) {
        let asked = filter(&[leaf(namespace, key, "v")]);
        let left = facet.condition_without(&asked, &CONTEXT).unwrap();
        let all = translate(&asked, &CONTEXT).unwrap();
        assert_eq!(left == all, counts, "{facet:?} under {namespace:?} {key}: {left}");
        assert_eq!(left == datafusion::prelude::lit(true), !counts, "{facet:?}: {left}");
    }

    #[test]
    fn only_conditions_on_the_facet_are_left_out() {
        use Namespace::{Log, LogAttribute, LogResourceAttribute};
        for (namespace, key) in [(LogAttribute, "service_name"), (LogResourceAttribute, "service.name")] {
            check(&Facet::Service, namespace, key, true);
            check(&Facet::Severity, namespace, key, true);
        }
        check(&Facet::Service, Log, "service_name", false);
        check(&Facet::Service, Log, "severity_level", true);
        check(&Facet::Severity, Log, "service_name", true);
        for name in ["severity_level", "severity_text", "level"] {
            check(&Facet::Severity, Log, name, false);
        }
        check(&attribute(AttributeSource::Record, "a"), LogAttribute, "a", false);
        check(&attribute(AttributeSource::Record, "a"), LogAttribute, "b", true);
        check(&attribute(AttributeSource::Record, "a"), LogResourceAttribute, "a", true);
        check(&attribute(AttributeSource::Resource, "a"), LogResourceAttribute, "a", false);
        check(&attribute(AttributeSource::Resource, "a"), LogAttribute, "a", true);
        check(&attribute(AttributeSource::Record, "service_name"), Log, "service_name", true);
    }

    #[test]
    fn the_lists_of_names_belong_to_their_facets() {
        let filter = LogFilter {
            severity_levels: vec!["info".to_owned()],
            service_names: vec!["api".to_owned()],
            ..LogFilter::default()
        };
        let left = |facet: &Facet| {
            let rest = facet.without_list(&filter);
            (rest.severity_levels.len(), rest.service_names.len())
        };
        assert_eq!(left(&Facet::Severity), (0, 1));
        assert_eq!(left(&Facet::Service), (1, 0));
        assert_eq!(left(&attribute(AttributeSource::Resource, "service.name")), (1, 1));
    }

    #[test]
    fn a_condition_that_is_left_out_still_has_to_mean_something() {
        let mut own = FilterLeaf {
            path: "filterGroup[0]".to_owned(),
            key: "a".to_owned(),
            namespace: Namespace::LogAttribute,
            operator: Operator::Regex,
            operand: Operand::One(Scalar::Text("(".to_owned())),
        };
        let facet = attribute(AttributeSource::Record, "a");
        let asked = |leaf: &FilterLeaf| filter(&[FilterNode::Leaf(leaf.clone())]);
        let error = facet.condition_without(&asked(&own), &CONTEXT).unwrap_err();
        assert!(error.message().starts_with("filterGroup[0]: "), "{error}");
        own.operand = Operand::Absent;
        assert!(facet.condition_without(&asked(&own), &CONTEXT).is_ok());
    }

    #[test]
    fn a_condition_without_a_value_says_nothing_in_a_group_either() {
        let facet = attribute(AttributeSource::Record, "a");
        let group = |value| FilterNode::Group {
            join: Join::Or,
            nodes: vec![leaf(Namespace::LogAttribute, "a", value), leaf(Namespace::LogAttribute, "b", "v")],
        };
        let left = |value| facet.condition_without(&filter(&[group(value)]), &CONTEXT).unwrap();
        let other = translate(&filter(&[leaf(Namespace::LogAttribute, "b", "v")]), &CONTEXT).unwrap();
        assert_eq!(left(""), other);
        assert_eq!(left("v"), datafusion::prelude::lit(true).or(other));
    }
}
