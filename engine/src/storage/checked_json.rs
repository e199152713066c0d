//! JSON objects that carry their own checksum and version: manifests, backups.
//!
//! The first member is `format_version`; the last one is `checksum`, XXH3 of all bytes before `,"checksum"`, 64 bits
//! in hexadecimal. Both are so in every version, so that a later version can be told from damage.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// What stands in front of the checksum, and behind it.
const CHECKSUM_START: &str = ",\"checksum\":\"";
const CHECKSUM_END: &str = "\"}";
const CHECKSUM_DIGITS: usize = 16;

/// Encodes an object with a member `format_version`.
pub(crate) fn encode_checked<T: Serialize>(content: &T) -> Result<Bytes> {
    let cannot_encode = || Error::internal("cannot encode a JSON object");
    let mut bytes = serde_json::to_vec(content).map_err(|error| cannot_encode().with_source(error))?;
    if bytes.pop() != Some(b'}') {
        return Err(cannot_encode());
    }
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(format!("{CHECKSUM_START}{checksum:016x}{CHECKSUM_END}").as_bytes());
    Ok(bytes.into())
}

/// Decodes an object; `name` is what it is called in errors.
///
/// # Errors
/// `CorruptData`: damaged, or of a version after `known_version`, see [`is_newer`].
pub(crate) fn decode_checked<T: DeserializeOwned>(name: &str, bytes: &[u8], known_version: u32) -> Result<T> {
    let damaged = |reason: &str| Error::corrupt_data(format!("{name} is damaged: {reason}"));
    if !is_intact(bytes) {
        return Err(damaged("its checksum is another one"));
    }
    let version = version(bytes).map_err(|error| damaged("it has no version").with_source(error))?;
    if version > known_version {
        return Err(Error::corrupt_data(format!(
            "{name} has format version {version}, and this program knows up to {known_version}: use a newer version"
        )));
    }
    serde_json::from_slice(bytes).map_err(|error| damaged("members are missing or wrong").with_source(error))
}

/// Whether an object is whole and of a later version.
pub(crate) fn is_newer(bytes: &[u8], known_version: u32) -> bool {
    is_intact(bytes) && version(bytes).is_ok_and(|version| version > known_version)
}

fn is_intact(bytes: &[u8]) -> bool {
    let tail_bytes = CHECKSUM_START.len() + CHECKSUM_DIGITS + CHECKSUM_END.len();
    let Some((content, tail)) = bytes.len().checked_sub(tail_bytes).map(|at| bytes.split_at(at)) else {
        return false;
    };
    tail == format!("{CHECKSUM_START}{:016x}{CHECKSUM_END}", xxh3_64(content)).as_bytes()
}

fn version(bytes: &[u8]) -> serde_json::Result<u32> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    serde_json::from_slice::<Version>(bytes).map(|version| version.format_version)
}
