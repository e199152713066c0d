//! Work on a data folder as a whole: rebuild its catalog or its sidecars, check and mend it, back it up and restore it.
//!
//! Each operation but [`Engine::backup`](crate::Engine::backup) and [`ReadOnlyStore`] works on a folder that no engine has
//! open, and holds the folder's lock meanwhile. None of them guesses: what cannot be told from what is stored is reported.

mod backup;
mod doctor;
mod evidence;
mod folder;
mod reading;
mod rebuild;
mod row_search;
mod sidecars;

pub use backup::{Backup, BackupMode, BackupSummary, RestoreSummary, restore};
pub use doctor::{DoctorOptions, DoctorReport, Finding, FindingKind, doctor};
pub use folder::is_data_folder;
pub use reading::ReadOnlyStore;
pub use rebuild::{
    OnAmbiguity, RebuildFinding, RebuildFindingKind, RebuildOptions, RebuildReport, RebuildSource,
    rebuild_catalog,
};
pub use sidecars::{SidecarReport, rebuild_sidecars};
