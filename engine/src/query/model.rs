//! The validated query model: what a request means, free of how it was written.
//!
//! The server turns JSON into these types, alerts and exports build them directly. Shapes are checked
//! where they are parsed; meaning (a regex that compiles, `between` with min ≤ max, a column that exists)
//! is checked once, by the filter translator.

use uuid::Uuid;

use super::time_range::TimeRange;

/// Which rows a request asks for, apart from their time. All conditions hold together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    /// Severity names of which a row must have one; empty means any.
    pub severity_levels: Vec<String>,
    /// Service names of which a row must have one, `""` for unnamed services; empty means any.
    pub service_names: Vec<String>,
    /// Text that the body must contain, ignoring case; empty means any.
    pub search_term: String,
    /// Property filters, all of which must hold.
    pub properties: Vec<FilterNode>,
    /// The resource that a row must have.
    pub resource_fingerprint: Option<u64>,
}

/// A property filter or a group of them.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterNode {
    /// One condition.
    Leaf(FilterLeaf),
    /// Several conditions under one connective.
    Group {
        /// How the conditions are joined.
        join: Join,
        /// The conditions; a group is never empty.
        nodes: Vec<FilterNode>,
    },
}

/// A connective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Every condition must hold.
    And,
    /// One condition must hold.
    Or,
}

/// One condition on a column or an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterLeaf {
    /// Where in the request the condition stands, for error messages: `filterGroup.values[0]`.
    pub path: String,
    /// Column name or attribute key, whole: dots are part of the key.
    pub key: String,
    /// Where to look for the key.
    pub namespace: Namespace,
    /// How the stored value is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub operand: Operand,
}

/// Where a [`FilterLeaf`] looks for its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// A column of the row.
    Log,
    /// The record's own attributes.
    LogAttribute,
    /// The attributes of the record's resource.
    LogResourceAttribute,
}

/// How a stored value is compared with the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the API's operator names; the API reference defines each")]
pub enum Operator {
    Exact,
    IsNot,
    In,
    NotIn,
    Icontains,
    NotIcontains,
    IcontainsMulti,
    NotIcontainsMulti,
    Regex,
    NotRegex,
    Gt,
    Gte,
    Lt,
    Lte,
    Between,
    NotBetween,
    IsSet,
    IsNotSet,
    IsDateExact,
    IsDateBefore,
    IsDateAfter,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
    SemverEq,
    SemverNeq,
    SemverGt,
    SemverGte,
    SemverLt,
    SemverLte,
    SemverTilde,
    SemverCaret,
    SemverWildcard,
}

impl Operator {
    /// The operator with an API name; `min` and `max` are other names of `gte` and `lte`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "exact" => Self::Exact,
            "is_not" => Self::IsNot,
            "in" => Self::In,
            "not_in" => Self::NotIn,
            "icontains" => Self::Icontains,
            "not_icontains" => Self::NotIcontains,
            "icontains_multi" => Self::IcontainsMulti,
            "not_icontains_multi" => Self::NotIcontainsMulti,
            "regex" => Self::Regex,
            "not_regex" => Self::NotRegex,
            "gt" => Self::Gt,
            "gte" | "min" => Self::Gte,
            "lt" => Self::Lt,
            "lte" | "max" => Self::Lte,
            "between" => Self::Between,
            "not_between" => Self::NotBetween,
            "is_set" => Self::IsSet,
            "is_not_set" => Self::IsNotSet,
            "is_date_exact" => Self::IsDateExact,
            "is_date_before" => Self::IsDateBefore,
            "is_date_after" => Self::IsDateAfter,
            "starts_with" => Self::StartsWith,
            "not_starts_with" => Self::NotStartsWith,
            "ends_with" => Self::EndsWith,
            "not_ends_with" => Self::NotEndsWith,
            "semver_eq" => Self::SemverEq,
            "semver_neq" => Self::SemverNeq,
            "semver_gt" => Self::SemverGt,
            "semver_gte" => Self::SemverGte,
            "semver_lt" => Self::SemverLt,
            "semver_lte" => Self::SemverLte,
            "semver_tilde" => Self::SemverTilde,
            "semver_caret" => Self::SemverCaret,
            "semver_wildcard" => Self::SemverWildcard,
            _ => return None,
        })
    }
}

/// What a stored value is compared with, as the request wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// No value, or null.
    Absent,
    /// One value.
    One(Scalar),
    /// A list of values.
    Many(Vec<Scalar>),
}

/// A value of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text as it was written.
    Text(String),
    /// A number, with the text it was written as.
    Number {
        /// Its value.
        value: f64,
        /// How it was written.
        text: String,
    },
    /// A truth value; compared as the text `true` or `false`.
    Bool(bool),
}

impl Scalar {
    /// The value as text.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number { text, .. } => text,
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
        }
    }
}

/// The order of rows; ties of time are broken by row id in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Latest,
    /// Oldest first.
    Earliest,
}

/// Whether rows carry their attribute maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributeMaps {
    /// Both maps are returned.
    #[default]
    Included,
    /// Both maps are empty, and not read.
    Excluded,
}

/// A place between two rows: everything after it, in the query's order, is the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Time of the last row seen, microseconds.
    pub timestamp_us: i64,
    /// Id of the last row seen.
    pub uuid: Uuid,
}

/// A request for rows.
#[derive(Clone, Debug, PartialEq)]
pub struct LogQuery {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time.
    pub range: TimeRange,
    /// In which order.
    pub order: Order,
    /// At most how many; at least 1. `usize::MAX` is no limit, for an export.
    pub limit: usize,
    /// Where the page begins.
    pub after: Option<Cursor>,
    /// Only rows ingested at or after this instant, microseconds.
    pub ingested_from_us: Option<i64>,
    /// Whether attribute maps are returned.
    pub attributes: AttributeMaps,
}

/// What the series of a sparkline stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breakdown {
    /// One series per severity.
    #[default]
    Severity,
    /// One series per service.
    Service,
}

/// What decides which series a sparkline keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RankBy {
    /// Number of rows.
    #[default]
    Count,
    /// Uncompressed bytes.
    Bytes,
}
