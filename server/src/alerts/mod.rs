//! Alerts on logs: what one check decides, and the same decided over the past.
//!
//! Most of it is pure functions of what they are given: no clock, no storage. [`settings`] is what people decide about
//! an alert, [`condition`] when a count is a reason to fire, [`machine`] decides one check, [`services`] one for each
//! service, [`control`] is what people do to an alert, [`schedule`] says when it is
//! checked and what a check counts, [`failure`] what a check that could not count means, [`timeline`] where an alert
//! stood, [`simulation`] and [`grouped_simulation`] run the machine over history. `scheduler` checks what is due, and `notice` is what people are
//! told then.

pub mod condition;
pub mod control;
pub mod failure;
pub mod grouped_simulation;
pub mod machine;
pub(crate) mod notice;
pub mod schedule;
pub(crate) mod scheduler;
pub mod services;
pub mod settings;
pub mod simulation;
pub mod timeline;

/// Microseconds of a minute.
pub const MINUTE_US: i64 = 60_000_000;
/// Microseconds of an hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
