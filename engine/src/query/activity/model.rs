//! What can be asked about the audit trail, free of how it was written.

use uuid::Uuid;

use super::detail::{DetailPath, DetailTest};
use super::expression::ActivityExpression;
use crate::schema::ProjectId;

/// Whose entries a question is about. Every question names it, and no filter widens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActivityTenant {
    /// All of the organization.
    Organization,
    /// Those of one project.
    Project {
        /// Which.
        project: ProjectId,
        /// Whether those about the organization itself are there too.
        with_organization: bool,
    },
}

/// Entries that a reader may not see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HiddenEntries {
    /// Of this scope.
    pub scope: String,
    /// With one of these activities.
    pub activities: Vec<String>,
    /// Only those that were made through somebody else's session.
    pub only_impersonated: bool,
}

/// Which entries are asked for. All conditions hold, and those that are empty or none say nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityFilter {
    /// Whose.
    pub tenant: ActivityTenant,
    /// What the reader may not see.
    pub hidden: Vec<HiddenEntries>,
    /// Done at this time or later, microseconds.
    pub since_us: Option<i64>,
    /// Done at this time or before, microseconds.
    pub until_us: Option<i64>,
    /// By one of these users; an empty list means nobody.
    pub users: Option<Vec<i64>>,
    /// Of one of these scopes.
    pub scopes: Vec<String>,
    /// One of these activities.
    pub activities: Vec<String>,
    /// By one of these clients.
    pub clients: Vec<String>,
    /// From one of these addresses, in which `*` is any run of characters; ignores case.
    pub ip_addresses: Vec<String>,
    /// About one of these resources.
    pub item_ids: Vec<String>,
    /// Of one of these projects; an empty list means none.
    pub projects: Option<Vec<ProjectId>>,
    /// Whether staff acted.
    pub was_impersonated: Option<bool>,
    /// Whether no user acted.
    pub is_system: Option<bool>,
    /// The text of the detail contains this, ignoring case.
    pub search: Option<String>,
    /// Tests of the detail.
    pub details: Vec<(DetailPath, DetailTest)>,
    /// A condition of the caller's own.
    pub expression: Option<ActivityExpression>,
}

impl ActivityFilter {
    /// All entries of a tenant.
    pub fn all(tenant: ActivityTenant) -> Self {
        Self {
            tenant,
            hidden: Vec::new(),
            since_us: None,
            until_us: None,
            users: None,
            scopes: Vec::new(),
            activities: Vec::new(),
            clients: Vec::new(),
            ip_addresses: Vec::new(),
            item_ids: Vec::new(),
            projects: None,
            was_impersonated: None,
            is_system: None,
            search: None,
            details: Vec::new(),
            expression: None,
        }
    }
}

/// The order of entries: by time, and of equal times by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityOrder {
    /// Newest first.
    Latest,
    /// Oldest first.
    Earliest,
}

/// A place between entries: behind the one with this time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActivityCursor {
    /// Microseconds.
    pub timestamp_us: i64,
    /// Of the entry.
    pub id: Uuid,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityQuery {
    /// Which.
    pub filter: ActivityFilter,
    /// In which order.
    pub order: ActivityOrder,
    /// Only those behind this place.
    pub after: Option<ActivityCursor>,
    /// How many are left out before the first. Costs memory in proportion.
    pub offset: usize,
    /// At most this many.
    pub limit: usize,
}
