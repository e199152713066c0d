//! Tests of the server from outside, in one binary because each would link DataFusion again: `http` through the
//! router and through the program, `oracle` against an independent evaluator, `crash` against SIGKILL.

mod crash;
mod http;
mod oracle;
