//! The audit trail: what every change of the product's own resources leaves behind.
//!
//! [`entry`] is what an entry is made of, [`change`] how two states of a resource become a list of changes. An entry is
//! put into the outbox in the transaction of the change that it describes, so that there is never one without the
//! other. `trail` delivers the outbox to the engine, each entry once and by one server at a time (`turn`), and `keeping`
//! lets the oldest entries expire where an organization wants that; `subscriptions` tell of new entries whoever wants to know. [`checkpoint`]s are signed ends of an organization's chain, and [`verify`] proves
//! by them that nothing was changed or taken away.

pub mod change;
pub mod checkpoint;
pub mod entry;
mod keeping;
mod subscriptions;
pub(crate) mod trail;
mod turn;
pub mod verify;
pub(crate) mod visibility;
