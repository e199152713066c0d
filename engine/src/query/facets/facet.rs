//! What values are counted of.

use datafusion::prelude::{Expr, ident};

use super::super::attribute_value::attribute_value;
use super::super::model::{FilterLeaf, FilterNode, Join, LogFilter, Namespace};
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

    /// The filter as if every condition on the facet itself held, so that the values that it rules out are counted
    /// too.
    pub(super) fn filter_without(&self, filter: &LogFilter) -> LogFilter {
        let mut rest = filter.clone();
        match self {
            Self::Severity => rest.severity_levels.clear(),
            Self::Service => rest.service_names.clear(),
            Self::Attribute { .. } => {}
        }
        rest.properties = filter.properties.iter().filter_map(|node| self.without(node)).collect();
        rest
    }

    /// What is left of a node; none when it always holds.
    fn without(&self, node: &FilterNode) -> Option<FilterNode> {
        match node {
            FilterNode::Leaf(leaf) => (!self.is_subject_of(leaf)).then(|| node.clone()),
            FilterNode::Group { join, nodes } => {
                let rest: Vec<_> = nodes.iter().filter_map(|node| self.without(node)).collect();
                let always_holds = match join {
                    Join::And => rest.is_empty(),
                    Join::Or => rest.len() < nodes.len(),
                };
                (!always_holds).then_some(FilterNode::Group { join: *join, nodes: rest })
            }
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
    use super::super::super::model::{Operand, Operator, Scalar};
    use super::*;

    fn leaf(namespace: Namespace, key: &str) -> FilterNode {
        FilterNode::Leaf(FilterLeaf {
            path: String::new(),
            key: key.to_owned(),
            namespace,
            operator: Operator::Exact,
            operand: Operand::One(Scalar::Text("v".to_owned())),
        })
    }

    fn group(join: Join, keys: &[&str]) -> FilterNode {
        let nodes = keys.iter().map(|key| leaf(Namespace::LogAttribute, key)).collect();
        FilterNode::Group { join, nodes }
    }

    fn attribute(source: AttributeSource, key: &str) -> Facet {
        Facet::Attribute { source, key: key.to_owned() }
    }

    #[track_caller]
    fn check(facet: &Facet, properties: &[FilterNode], expected: &[FilterNode]) {
        let filter = LogFilter { properties: properties.to_vec(), ..LogFilter::default() };
        assert_eq!(facet.filter_without(&filter).properties, expected, "{facet:?}");
    }

    #[test]
    fn only_conditions_on_the_facet_are_left_out() {
        use Namespace::{Log, LogAttribute, LogResourceAttribute};
        let of = |namespace| leaf(namespace, "service_name");
        let all = [of(Log), of(LogAttribute), of(LogResourceAttribute), leaf(Log, "severity_level")];
        check(&Facet::Service, &all, &[all[1].clone(), all[2].clone(), all[3].clone()]);
        check(&Facet::Severity, &all, &all[..3]);
        check(
            &attribute(AttributeSource::Record, "service_name"),
            &all,
            &[all[0].clone(), all[2].clone(), all[3].clone()],
        );
        check(
            &attribute(AttributeSource::Resource, "service_name"),
            &all,
            &[all[0].clone(), all[1].clone(), all[3].clone()],
        );
        check(&attribute(AttributeSource::Record, "other"), &all, &all);
    }

    #[test]
    fn the_lists_of_names_belong_to_their_facets() {
        let filter = LogFilter {
            severity_levels: vec!["info".to_owned()],
            service_names: vec!["api".to_owned()],
            ..LogFilter::default()
        };
        let left = |facet: &Facet| {
            let rest = facet.filter_without(&filter);
            (rest.severity_levels.len(), rest.service_names.len())
        };
        assert_eq!(left(&Facet::Severity), (0, 1));
        assert_eq!(left(&Facet::Service), (1, 0));
        assert_eq!(left(&attribute(AttributeSource::Resource, "service.name")), (1, 1));
    }

    #[test]
    fn a_group_with_a_condition_that_holds_is_what_is_left_of_it() {
        let facet = attribute(AttributeSource::Record, "a");
        check(&facet, &[group(Join::And, &["a", "b"])], &[group(Join::And, &["b"])]);
        check(&facet, &[group(Join::And, &["a", "a"])], &[]);
        check(&facet, &[group(Join::Or, &["a", "b"])], &[]);
        check(&facet, &[group(Join::Or, &["b", "c"])], &[group(Join::Or, &["b", "c"])]);
    }
}
