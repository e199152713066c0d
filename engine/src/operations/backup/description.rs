//! `backup.json`: what a backup holds, with the checksum of each part. Written last; the only place that makes or
//! reads it.

use std::fs::read;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::catalog::CATALOG_FILE_NAME;
use crate::error::{Error, Result};
use crate::storage::LAYOUT_VERSION;
use crate::storage::checked_json::{decode_checked, encode_checked};

pub(super) const DESCRIPTION_FILE_NAME: &str = "backup.json";

/// The version this code writes.
const FORMAT_VERSION: u32 = 1;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Description {
    format_version: u32,
    /// Of the program that wrote it.
    program_version: String,
    layout_version: u32,
    /// When it was finished, microseconds.
    pub(super) finished_us: i64,
    pub(super) entries: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// In the backup's folder, with `/` between its parts.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) size_bytes: u64,
    /// XXH3, 128 bits in hexadecimal.
    pub(super) xxh3: String,
}

/// Where restore puts a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryKind {
    /// Into the store of data files.
    Object,
    /// Into the data folder.
    Local,
}

impl Description {
    pub(super) fn new(layout_version: u32, finished_us: i64, entries: Vec<Entry>) -> Self {
        let program_version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format_version: FORMAT_VERSION, program_version, layout_version, finished_us, entries }
    }

    pub(super) fn encode(&self) -> Result<Bytes> {
        encode_checked(self)
    }

    /// Reads the description of a backup.
    ///
    /// # Errors
    /// `InvalidRequest` when the folder is no whole backup; `CorruptData` when it is damaged or of a later version.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(DESCRIPTION_FILE_NAME);
        let name = path.display().to_string();
        let bytes = read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::invalid_request(format!(
                "{} is no backup, or one that was not finished: it has no {DESCRIPTION_FILE_NAME}",
                folder.display()
            )),
            _ => Error::unavailable(format!("cannot read {name}")).with_source(error),
        })?;
        let description: Self = decode_checked(&name, &bytes, FORMAT_VERSION)?;
        if description.layout_version > LAYOUT_VERSION {
            let found = description.layout_version;
            return Err(Error::corrupt_data(format!(
                "{name} tells of layout version {found}, and this program knows up to {LAYOUT_VERSION}"
            )));
        }
        for entry in &description.entries {
            let is_sound = match entry.kind {
                EntryKind::Object => object_store::path::Path::parse(&entry.path).is_ok_and(|path| {
                    // Nothing that the store would put elsewhere, or where the folder's own files are.
                    path.as_ref() == entry.path && path.parts().count() > 1
                }),
                EntryKind::Local => is_local_name(&entry.path),
            };
            if !is_sound {
                return Err(Error::corrupt_data(format!(
                    "{name} has an entry with the path {:?}",
                    entry.path
                )));
            }
        }
        Ok(description)
    }
}

/// Whether a file of this name may go into a data folder: a database, and not one that restore makes itself.
pub(super) fn is_local_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    name.ends_with(".db")
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
        && !name.starts_with(CATALOG_FILE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, kind: EntryKind, is_sound: bool) {
        let folder = tempfile::tempdir().unwrap();
        let entry = Entry { path: path.to_owned(), kind, size_bytes: 1, xxh3: "0".to_owned() };
        let description = Description::new(LAYOUT_VERSION, 5, vec![entry]);
        std::fs::write(folder.path().join(DESCRIPTION_FILE_NAME), description.encode().unwrap()).unwrap();
        assert_eq!(Description::read(folder.path()).is_ok(), is_sound, "{path:?}");
    }

    #[test]
    fn entries_cannot_lead_out_of_the_folder() {
        check("logs/project=1/wide/x.parquet", EntryKind::Object, true);
        check("../x.parquet", EntryKind::Object, false);
        check("/etc/passwd", EntryKind::Object, false);
        check("logs/../../x", EntryKind::Object, false);
        check("catalog.db", EntryKind::Object, false);
        check("meta.db", EntryKind::Local, true);
        for path in ["catalog.db", "../meta.db", "a/meta.db", ".db", "LOCK", "/meta.db"] {
            check(path, EntryKind::Local, false);
        }
    }

    #[test]
    fn a_folder_without_a_description_is_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let error = Description::read(folder.path()).unwrap_err();
        assert!(error.message().contains("not finished"), "{error}");
    }
}
