//! What a check reports.

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// The catalog is missing, unreadable or of a later version.
    CatalogDamaged,
    /// The catalog is an older copy of itself.
    CatalogOutdated,
    /// A manifest is damaged, or some are missing.
    ManifestDamaged,
    /// Manifests tell otherwise than the catalog.
    ManifestsDiffer,
    /// A segment of the write-ahead log cannot be replayed.
    LogDamaged,
    /// A data file is not there.
    FileMissing,
    /// A data file cannot be read, or holds other bytes than were written.
    FileDamaged,
    /// A data file is another one than the catalog says.
    FileDiffers,
    /// A sidecar is missing, damaged, of a later version or another file's.
    SidecarDamaged,
    /// An object that was never committed.
    DeadIntent,
    /// An object that the catalog does not know.
    UnknownObject,
}

impl FindingKind {
    /// The name for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CatalogDamaged => "catalog_damaged",
            Self::CatalogOutdated => "catalog_outdated",
            Self::ManifestDamaged => "manifest_damaged",
            Self::ManifestsDiffer => "manifests_differ",
            Self::LogDamaged => "log_damaged",
            Self::FileMissing => "file_missing",
            Self::FileDamaged => "file_damaged",
            Self::FileDiffers => "file_differs",
            Self::SidecarDamaged => "sidecar_damaged",
            Self::DeadIntent => "dead_intent",
            Self::UnknownObject => "unknown_object",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The file or object, as a path below the data folder or the store's root.
    pub object: String,
    /// What is wrong with it.
    pub message: String,
    /// What mends it, if anything does.
    pub repair: Option<String>,
    /// Whether that was done.
    pub is_repaired: bool,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct DoctorReport {
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
    /// Things worth knowing that are no fault.
    pub notes: Vec<String>,
    /// Live data files that were looked at.
    pub num_files: u64,
    /// Their rows, as the catalog or the footers have it.
    pub num_rows: u64,
}

impl DoctorReport {
    /// Whether nothing is wrong, or nothing any more.
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.is_repaired)
    }

    pub(super) fn add(
        &mut self,
        kind: FindingKind,
        object: impl ToString,
        message: impl Into<String>,
        repair: Option<&str>,
    ) {
        let (object, message, repair) = (object.to_string(), message.into(), repair.map(str::to_owned));
        self.findings.push(Finding { kind, object, message, repair, is_repaired: false });
    }

    pub(super) fn has(&self, kinds: &[FindingKind]) -> bool {
        self.findings.iter().any(|finding| kinds.contains(&finding.kind))
    }
}
