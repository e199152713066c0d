//! The query sets over the sample logs, the comparison of layouts, the comparison of engines, sizes, and the
//! questions to an audit trail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod activity;
mod golden;
mod layout;
mod side_by_side;
mod size;
mod victorialogs;
