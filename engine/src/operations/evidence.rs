//! What lies in a store: data files, sidecars, and what is neither.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::Dataset;
use crate::storage::{Footer, Storage, sidecar_path};

/// Footers that are read at the same time.
const CONCURRENT_READS: usize = 8;

/// An object whose name is that of a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataObject {
    /// From its name.
    pub(super) id: Uuid,
    pub(super) path: Path,
    pub(super) size_bytes: u64,
}

/// The objects in the folders of all datasets.
#[derive(Debug, Default)]
pub(super) struct ObjectList {
    pub(super) data_files: BTreeMap<Path, DataObject>,
    /// With their sizes.
    pub(super) sidecars: BTreeMap<Path, u64>,
    /// Names that Timberline does not give.
    pub(super) others: Vec<Path>,
}

impl ObjectList {
    pub(super) async fn read(storage: &Storage) -> Result<Self> {
        let mut list = Self::default();
        for dataset in Dataset::ALL {
            for object in storage.list_objects(dataset.as_str()).await? {
                let name = object.path.filename().unwrap_or_default();
                let id = |suffix| Uuid::parse_str(name.strip_suffix(suffix)?).ok();
                if let Some(id) = id(".parquet") {
                    let path = object.path.clone();
                    list.data_files
                        .insert(object.path, DataObject { id, path, size_bytes: object.size_bytes });
                } else if id(".sidecar").is_some() {
                    list.sidecars.insert(object.path, object.size_bytes);
                } else {
                    list.others.push(object.path);
                }
            }
        }
        Ok(list)
    }

    /// The size of a data file's sidecar; 0 when there is none.
    pub(super) fn sidecar_bytes(&self, data_file: &Path) -> u64 {
        self.sidecars.get(&sidecar_path(data_file)).copied().unwrap_or(0)
    }
}

/// A footer, or why the file cannot be trusted.
pub(super) type FooterRead = std::result::Result<Footer, Error>;

/// Reads the footers of objects. Damage is part of the answer.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub(super) async fn read_footers(
    storage: &Storage,
    objects: impl IntoIterator<Item = DataObject>,
) -> Result<HashMap<Path, FooterRead>> {
    futures::stream::iter(objects)
        .map(|object| async move {
            let footer = storage.read_footer(&object.path, object.size_bytes).await;
            match footer.and_then(|footer| agrees_with_name(footer, &object)) {
                Err(error) if error.kind() != ErrorKind::CorruptData => Err(error),
                read => Ok((object.path, read)),
            }
        })
        .buffer_unordered(CONCURRENT_READS)
        .try_collect()
        .await
}

/// A file that has another's name is not to be trusted.
fn agrees_with_name(footer: Footer, object: &DataObject) -> Result<Footer> {
    let DataObject { id, path, .. } = object;
    let origin = &footer.origin;
    if origin.file_id != *id {
        return Err(Error::corrupt_data(format!(
            "data file {path} is damaged: its footer says that it is {}",
            origin.file_id
        )));
    }
    if !path.as_ref().starts_with(&format!("{}/", origin.table)) {
        return Err(Error::corrupt_data(format!(
            "data file {path} is damaged: its footer says that it is of {}",
            origin.table
        )));
    }
    Ok(footer)
}
