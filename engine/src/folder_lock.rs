//! A folder belongs to one process at a time.

use std::fs::{File, OpenOptions, TryLockError, create_dir_all};
use std::path::Path;

use crate::error::{Error, Result};

/// Held while an engine has a folder open.
pub(crate) const LOCK_FILE_NAME: &str = "LOCK";

/// Makes a folder and claims it for one engine.
pub(crate) fn lock_folder(data_dir: &Path) -> Result<File> {
    let name = data_dir.display();
    create_dir_all(data_dir)
        .map_err(|error| Error::unavailable(format!("cannot create the folder {name}")).with_source(error))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join(LOCK_FILE_NAME))
        .map_err(|error| {
            Error::unavailable(format!("cannot write in the folder {name}")).with_source(error)
        })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(Error::unavailable(format!("the folder {name} is in use by another process")))
        }
        Err(TryLockError::Error(error)) => {
            Err(Error::unavailable(format!("cannot lock the folder {name}")).with_source(error))
        }
    }
}
