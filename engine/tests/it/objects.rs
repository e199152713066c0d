//! Which files are in a data folder.

use std::fs;
use std::path::{Path, PathBuf};

use engine::Engine;

/// All files below a folder whose names end so, in order.
pub(crate) fn files_below(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, end));
        } else if path.file_name().unwrap().to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The data files of all projects.
pub(crate) fn data_files(data_dir: &Path) -> Vec<PathBuf> {
    files_below(&data_dir.join("logs"), ".parquet")
}

/// How many data files are left once nobody holds what was merged or has expired.
///
/// The tasks of a query let go of its snapshot a moment after its last row was read, which no caller can wait for;
/// hence some tries.
pub(crate) async fn settled_files(engine: &Engine, data_dir: &Path, expected: usize) -> usize {
    for _try in 0..1000 {
        if data_files(data_dir).len() == expected {
            break;
        }
        tokio::task::yield_now().await;
        engine.compact(false).await.unwrap();
    }
    data_files(data_dir).len()
}
