//! Integration tests of the engine, as one binary: each further one would link DataFusion again.

mod query;
