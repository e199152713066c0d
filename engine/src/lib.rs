//! Timberline's storage and query engine: everything that is true without HTTP.

pub mod buffer;
pub mod catalog;
pub mod clock;
pub mod error;
pub mod query;
pub mod schema;
pub mod sql;
pub mod storage;

pub use error::{Error, ErrorKind, Result};
