//! What may be done to organizations, their people, projects and keys: the rules, in one place for the HTTP API and
//! the command line.
//!
//! Every change is one transaction of the metadata that also puts its entries of the audit trail into the outbox.
//! Who may call at all is checked before; what depends on the state of things is checked here, in the transaction.

pub mod access_controls;
mod error;
pub(crate) mod identities;
pub mod integrations;
pub mod invites;
pub mod keys;
pub mod members;
pub mod organizations;
pub mod projects;
pub mod roles;
pub mod sessions;
mod slug;
pub mod users;

pub use error::AccountError;
