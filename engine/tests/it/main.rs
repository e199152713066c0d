//! Integration tests of the engine: one binary, because each would link DataFusion again.

mod durability;
mod query;
mod tidy;
