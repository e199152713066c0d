//! Where a store's failures become the engine's errors: the only place outside queries.

use std::error::Error as StdError;
use std::path::Path as LocalPath;

use object_store::path::Path;

use super::remote_store::RemoteError;
use crate::error::{Error, ErrorKind};

/// What it means that `action` failed. That an object is not there matters only to who reads it.
pub(super) fn cannot(action: &str, path: &Path, error: object_store::Error) -> Error {
    let kind = match error {
        object_store::Error::NotFound { .. } if action != "write" => ErrorKind::NotFound,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("cannot {action} {path}")).with_source(error)
}

/// What it means that a folder cannot be used.
pub(super) fn cannot_use(folder: &LocalPath, error: impl StdError + Send + Sync + 'static) -> Error {
    Error::unavailable(format!("cannot use the folder {}", folder.display())).with_source(error)
}

/// Whether a store says that it will not do it later either.
pub(super) fn is_lasting(error: &object_store::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(remote) = error.downcast_ref::<RemoteError>() {
            return remote.is_lasting;
        }
        next = error.source();
    }
    false
}
