//! The names of manifests and checkpoints, both ways.

use object_store::path::Path;

/// Where they lie.
pub(crate) const MANIFEST_FOLDER: &str = "_catalog";

/// What a name says: the last snapshot that the object tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManifestName {
    Manifest(i64),
    Checkpoint(i64),
}

impl ManifestName {
    /// Names sort as snapshots do.
    pub(crate) fn to_path(self) -> Path {
        Path::from(match self {
            Self::Manifest(snapshot) => format!("{MANIFEST_FOLDER}/{snapshot:020}.json"),
            Self::Checkpoint(snapshot) => format!("{MANIFEST_FOLDER}/{snapshot:020}.checkpoint.json"),
        })
    }

    /// Reads a path; `None` for other objects.
    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let name = path.as_ref().strip_prefix(MANIFEST_FOLDER)?.strip_prefix('/')?.strip_suffix(".json")?;
        let (digits, is_checkpoint) = match name.strip_suffix(".checkpoint") {
            Some(digits) => (digits, true),
            None => (name, false),
        };
        if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let snapshot = digits.parse().ok()?;
        Some(if is_checkpoint { Self::Checkpoint(snapshot) } else { Self::Manifest(snapshot) })
    }

    pub(crate) fn snapshot(self) -> i64 {
        match self {
            Self::Manifest(snapshot) | Self::Checkpoint(snapshot) => snapshot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_none() {
        for name in
            [ManifestName::Manifest(0), ManifestName::Checkpoint(i64::MAX), ManifestName::Manifest(17)]
        {
            assert_eq!(ManifestName::parse(&name.to_path()), Some(name));
        }
        for other in ["_catalog/1.json", "_catalog/x.json", "logs/00000000000000000001.json", "_catalog/a/b"]
        {
            assert_eq!(ManifestName::parse(&Path::from(other)), None, "{other}");
        }
    }
}
