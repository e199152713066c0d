//! Tests of the server from outside, in one binary because each would link DataFusion again: `http` through the
//! router and through the program, `oracle` against an independent evaluator, `crash` against SIGKILL.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod crash;
mod http;
mod memory;
mod oracle;
mod waiting;
