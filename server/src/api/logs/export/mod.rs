//! `logs/export`: rows as files, streamed ([`stream`]) or made in the background ([`asset`], [`worker`]).
//!
//! Reading order: [`request`], [`columns`], [`filename`]; [`csv`] and [`encoder`]; [`stream`]; [`asset_file`] and
//! [`worker`], which make the files that [`asset`] hands out.

mod asset;
mod asset_file;
mod columns;
pub(in crate::api) mod csv;
mod encoder;
mod filename;
mod request;
mod stream;
mod worker;

pub(super) use asset::{content, create, list, list_of_organization, retrieve};
pub(super) use stream::stream_logs;
pub(crate) use worker::{Exports, remove_files_without_export};
