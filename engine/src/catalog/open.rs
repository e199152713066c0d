//! Opening the catalog of a folder, if it is the one that belongs to the objects.
//!
//! A catalog that is missing or older than its manifests would answer with fewer rows than there are, and then number
//! its transactions as others were. Both are refused: a rebuild makes them right.

use std::path::Path;

use super::manifest::{MANIFEST_FOLDER, last_manifest};
use super::store::{CATALOG_FILE_NAME, CatalogState, CatalogStore};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Dataset;
use crate::storage::Storage;

/// Opens the catalog and begins a new epoch; a folder without any objects gets a new catalog.
///
/// # Errors
/// `CorruptData` naming the catalog when it is damaged, missing or older than the manifests.
pub(crate) async fn open_catalog(data_dir: &Path, storage: &Storage) -> Result<(CatalogStore, CatalogState)> {
    let path = data_dir.join(CATALOG_FILE_NAME);
    if !path.exists() && has_objects(storage).await? {
        return Err(Error::corrupt_data(format!(
            "the catalog {} is missing, and there are data files or manifests: \
             `timberline catalog rebuild` makes it anew",
            path.display()
        )));
    }
    let (catalog, state) = CatalogStore::open(data_dir).await?;
    let known = catalog.last_snapshot().await?;
    let published = match last_manifest(storage).await {
        // A remote store that is down holds up no start; a folder whose catalog is there is hardly ever a wrong one.
        Err(error) if storage.is_remote() && error.kind() == ErrorKind::Unavailable => {
            tracing::warn!(%error, "cannot tell whether the catalog is as new as its manifests");
            known
        }
        published => published?,
    };
    if known < published {
        catalog.close().await;
        return Err(Error::corrupt_data(format!(
            "the catalog {} ends with snapshot {known}, and the manifests with {published}: it is an older copy; \
             `timberline catalog rebuild` makes it anew",
            path.display()
        )));
    }
    Ok((catalog, state))
}

async fn has_objects(storage: &Storage) -> Result<bool> {
    let folders = Dataset::ALL.iter().map(|dataset| dataset.as_str()).chain([MANIFEST_FOLDER]);
    for folder in folders {
        if storage.has_objects(folder).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
