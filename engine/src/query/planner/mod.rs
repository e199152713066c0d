//! Which source answers for each data file: what the catalog knows of it, its sidecar, or its rows.
//!
//! A question goes over the files of a snapshot that may have rows of its range of time, and takes of each the
//! cheapest source that is exact:
//!
//! | source | for which files |
//! |---|---|
//! | the number of rows that the catalog has | files inside of the range, when all rows are meant and none are told apart |
//! | the rollup of the sidecar | conditions on services and severities alone; of the buckets that the range, or the question's own buckets, cut, the rows are asked |
//! | keys and values of the sidecar | files all of whose rows are meant; of those of which the range cuts off the smaller part, what is cut off is read and taken off again |
//! | the rows | all others, files some of whose rows may have expired, and rows in memory |
//!
//! What is left to the rows is [`Rest`]: it is read slice by slice, or by one plan of DataFusion. The parts add up: no row is
//! in two.
//!
//! | module | what |
//! |---|---|
//! | `cell_filter` | conditions that a service and a severity decide |
//! | `cells` | questions about time, services and severities |
//! | `keys` | questions about attribute keys and values |
//! | `rest` | the rows that have to be read |
//! | `row_cells` | time, services and severities of the rows that have to be read |
//! | `sidecars` | sidecars as they are read, within a budget of bytes |

mod cell_filter;
mod cells;
mod keys;
mod rest;
mod row_cells;
mod sidecars;

pub(super) use cell_filter::CellFilter;
pub(super) use cells::{CellQuestion, CellTotal, GroupBy, answer_from_cells};
pub(super) use keys::answer_from_keys;
pub(super) use rest::Rest;
pub(super) use sidecars::Sidecars;
