//! What the generated data promises to those who use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod activity;
mod content;
mod encoding;
mod reading;
mod reproduction;
mod settings;
