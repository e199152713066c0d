//! The query sets over the sample logs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod golden;
