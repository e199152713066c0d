//! The query sets over the sample logs, and the comparison of layouts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod golden;
mod layout;
