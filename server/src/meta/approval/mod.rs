//! Approvals as they are stored: policies, requests and votes.
//!
//! What they decide is in `approvals`; `*_store` are their statements. A policy and a request belong to a [`Place`].

mod policy;
mod policy_store;
mod request;
mod request_store;
#[cfg(test)]
mod tests;
mod vote;

use engine::schema::ProjectId;

use super::MetaError;

pub use policy::{ApprovalPolicy, ApproverConfig, PolicyContent, PolicyError};
pub(crate) use policy_store::{enabled, recipients};
pub(crate) use request::Outcome;
pub use request::{ChangeRequest, NewChangeRequest, PolicySnapshot, RequestFilter, RequestState, Validation};
pub(crate) use request_store::{
    count_open, get, insert, open_duplicate, set_outcome, set_reminded, set_validation,
};
pub use vote::{Decision, Vote};
pub(crate) use vote::{insert as insert_vote, of_request as votes_of_request};

/// Where a policy and a request belong: to one project of an organization, or to the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// UUID text.
    pub organization_id: String,
    /// None is the whole organization.
    pub project: Option<ProjectId>,
}

impl Place {
    /// The whole organization.
    pub fn organization(id: &str) -> Self {
        Self { organization_id: id.to_owned(), project: None }
    }

    /// A project of an organization.
    pub fn project(organization_id: &str, project: ProjectId) -> Self {
        Self { organization_id: organization_id.to_owned(), project: Some(project) }
    }

    /// What stands for the project in the condition of `AT_PLACE`.
    fn project_number(&self) -> i64 {
        self.project.map_or(0, |project| project.0)
    }
}

/// The condition that something is at the place whose organization is `$1` and whose project is `$2`, 0 for none.
const AT_PLACE: &str = "organization_id = $1 AND COALESCE(project_id, 0) = $2";

fn from_json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T, MetaError> {
    serde_json::from_str(text).map_err(|_| MetaError::Corrupt(format!("{what} that cannot be read")))
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("BUG: what is stored is always JSON")
}
