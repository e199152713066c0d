//! Alerts on logs: what one check decides, and the same decided over the past.
//!
//! Everything here is a pure function of what it is given: no clock, no storage. [`machine`] decides one check,
//! [`simulation`] runs it over history.

pub mod machine;
pub mod simulation;

/// Microseconds of a minute.
pub const MINUTE_US: i64 = 60_000_000;
