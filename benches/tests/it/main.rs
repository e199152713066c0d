//! The query sets over the sample logs, the comparison of layouts, the comparison of engines, and sizes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod golden;
mod layout;
mod side_by_side;
mod size;
