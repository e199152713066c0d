//! Which attribute keys and values rows have, and how many rows have each.
//!
//! | module | what |
//! |---|---|
//! | `facet` | what values are counted of, and a filter as if nothing was asked of it |
//! | `values`, `top_values` | the most frequent values |
//! | `keys` | the attribute keys, by how close they are to a search |
//! | `key_table` | how many rows have each key, in memory that counts as the query's |

mod facet;
mod key_table;
mod keys;
mod top_values;
mod values;

pub use facet::{AttributeSource, Facet};
pub use keys::{AttributeKey, AttributeKeys, AttributeKeysRequest, SearchIn};
pub use values::{FacetsRequest, ValueCount, ValuesRequest};

use datafusion::error::DataFusionError;
use datafusion::prelude::Expr;

use super::filter::{self, FilterContext};
use super::model::LogFilter;
use crate::error::Error;

/// A part of a ranked list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListRange {
    /// How many entries come before it.
    pub offset: usize,
    /// Most entries of it.
    pub limit: usize,
}

/// An error of the engine, on its way through DataFusion.
fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn translate(filter: &LogFilter, context: &FilterContext) -> Result<Expr, DataFusionError> {
    filter::translate(filter, context).map_err(external)
}
