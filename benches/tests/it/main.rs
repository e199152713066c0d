//! The query sets over the sample logs, the comparison of layouts, and sizes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod golden;
mod layout;
mod size;
