//! Reading the metadata of a data file, its page indexes and its footer, and believing them only when they are what was
//! written: a query leaves out what their statistics tell it to.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::LAYOUT_VERSION;
use super::checksums::{check_metadata, is_damaged};

/// Entries of our own in a footer begin so.
const OWN_ENTRY: &str = "timberline.";

/// The version of a file's layout.
const LAYOUT_VERSION_KEY: &str = "timberline.layout_version";

/// The metadata of a file of `size_bytes`, of which they are the last `metadata_bytes` or fewer: one read then, and one
/// more if they are longer.
///
/// # Errors
/// When they are damaged or cannot be read.
pub(crate) async fn read_metadata(
    store: &dyn ObjectStore,
    path: &Path,
    size_bytes: u64,
    metadata_bytes: u64,
) -> Result<ParquetMetaData, ParquetError> {
    let mut wanted = metadata_bytes.min(size_bytes);
    loop {
        let tail = store.get_range(path, size_bytes - wanted..size_bytes).await?;
        if tail.len() as u64 != wanted {
            return Err(ParquetError::EOF(format!("{path} is shorter than it should be")));
        }
        match parse(&tail, size_bytes) {
            Err(ParquetError::NeedMoreData(more)) if (more as u64) > wanted && wanted < size_bytes => {
                wanted = (more as u64).min(size_bytes);
            }
            parsed => return parsed,
        }
    }
}

fn parse(tail: &Bytes, size_bytes: u64) -> Result<ParquetMetaData, ParquetError> {
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    let is_sealed = check_metadata(tail);
    // A tail that is too short has the wrong checksum, too.
    reader.try_parse_sized(tail, size_bytes).map_err(|error| match (error, &is_sealed) {
        (more @ ParquetError::NeedMoreData(_), _) => more,
        (_, Err(_)) => is_damaged(),
        (error, _) => error,
    })?;
    let metadata = reader.finish()?;
    let entries = metadata.file_metadata().key_value_metadata();
    let versions = entries.into_iter().flatten().filter(|entry| entry.key == LAYOUT_VERSION_KEY);
    check_version(versions.filter_map(|entry| entry.value.as_deref()).next())?;
    let is_ours = entries.into_iter().flatten().any(|entry| entry.key.starts_with(OWN_ENTRY));
    if is_sealed? || !is_ours { Ok(metadata) } else { Err(is_damaged()) }
}

/// A later layout may mean something else by what looks alike.
fn check_version(version: Option<&str>) -> Result<(), ParquetError> {
    match version.map(str::parse::<u32>) {
        Some(Ok(version)) if version > LAYOUT_VERSION => Err(ParquetError::General(format!(
            "it has layout version {version}, and this program knows up to {LAYOUT_VERSION}"
        ))),
        Some(Err(_)) => Err(is_damaged()),
        _ => Ok(()),
    }
}
