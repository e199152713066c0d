//! Making names durable on a local disk: a file that is synced in a directory that is not can still vanish.

use std::fs::File;
use std::io;
use std::path::Path;

/// Waits until the names in a directory are on the disk.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Waits until the name of `path`, and of every directory above it down from `root`, is on the disk.
pub(crate) fn sync_name_below(root: &Path, path: &Path) -> io::Result<()> {
    for directory in path.ancestors().skip(1).take_while(|directory| directory.starts_with(root)) {
        sync_directory(directory)?;
    }
    Ok(())
}
