//! Rows in objects.

mod data_file;
pub use data_file::DataFile;
