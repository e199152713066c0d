//! The audit trail: what every change of the product's own resources leaves behind.
//!
//! [`entry`] is what an entry says, [`change`] how two states of a resource become a list of changes. An entry is put
//! into the outbox in the transaction of the change that it describes, so that there is never one without the other.

pub mod change;
pub mod entry;
