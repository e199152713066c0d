//! What must hold after every step, and what must hold at checkpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::Value;

use super::Broken;
use super::faults::Faults;
use super::reader::requests_of;
use super::world::{Ended, Held, PROJECTS, World, expect_unavailable};
use crate::query::TimeRange;
use crate::query::model::LogFilter;
use crate::schema::ProjectId;
use crate::wal;

impl World {
    /// Cheap enough for every step: no file that somebody may read is missing.
    pub(super) async fn check_files_exist(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        let live = PROJECTS.map(|project| engine.snapshot(ProjectId(project)));
        let held = self.held.iter().map(|held| &held.snapshot);
        for file in live.iter().chain(held).flat_map(|snapshot| snapshot.files.iter()) {
            let found = self.store.objects().head(&file.path).await;
            found.map_err(|error| Broken(format!("a file is missing that can be read: {error}")))?;
        }
        Ok(())
    }

    /// Every row that must be there is there once, and no other.
    pub(super) async fn check_rows(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        for project in PROJECTS {
            let snapshot = engine.snapshot(ProjectId(project));
            let rows = self.reader.rows(self.store.objects(), &snapshot).await.map_err(Broken)?;
            self.model.check(project, &rows, self.cutoff_us(project)).map_err(Broken)?;
        }
        for Held { snapshot, rows } in &self.held {
            let found = self.reader.rows(self.store.objects(), snapshot).await.map_err(Broken)?;
            if &found != rows {
                return Err(Broken(format!("a held snapshot of {} has changed", snapshot.table)));
            }
        }
        self.model.check_order().map_err(Broken)
    }

    /// What an earlier life has left open is decided now, for good. No row is hidden yet: the engine does not
    /// know how long rows are kept.
    pub(super) async fn settle_open_requests(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        for project in PROJECTS {
            let snapshot = engine.snapshot(ProjectId(project));
            let rows = self.reader.rows(self.store.objects(), &snapshot).await.map_err(Broken)?;
            self.model.settle_open_requests(project, &rows);
        }
        Ok(())
    }

    /// The engine's own answer is the same, or it says that it cannot give one.
    pub(super) async fn check_count(&mut self, project: ProjectId) -> Result<(), Broken> {
        let range = TimeRange { start_us: i64::MIN, end_us: i64::MAX };
        let engine = self.engine();
        let rows = self.reader.rows(self.store.objects(), &engine.snapshot(project)).await.map_err(Broken)?;
        let cutoff_us = self.cutoff_us(project.0);
        let expected = rows.iter().filter(|row| !row.is_expired(cutoff_us)).count() as u64;
        let counted = self.run(engine.count_logs(project, LogFilter::default(), range)).await;
        self.store.fail_get(0);
        match counted {
            Ended::Done(found) if found != expected => {
                Err(Broken(format!("project {project}: a query counts {found} rows and not {expected}")))
            }
            Ended::Failed(error) => expect_unavailable("a query", &error),
            Ended::Done(_) | Ended::Stopped => Ok(()),
        }
    }

    /// If the machine and the catalog were lost now, manifests, data files and log would hold every row once.
    pub(super) async fn check_recovery(&mut self, seed: u64) -> Result<(), Broken> {
        let manifests = self.read_manifests().await?;
        let mut found: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for path in manifests.files.values() {
            let rows = self.reader.file(self.store.objects(), path).await;
            let rows = rows.map_err(|what| Broken(format!("a manifest names a file: {what}")))?;
            rows.iter().for_each(|row| *found.entry((row.request, row.index)).or_default() += 1);
        }
        let disk = self.disk.copy(Arc::new(Faults::new(seed)));
        disk.cut_power();
        let mut visit = |batch: &wal::WalBatch| {
            let stamp = &batch.stamp;
            let writer = stamp.writer.to_string();
            let (project, _) = batch.table.owner();
            let holds = |range: &FlushedRange| {
                range.writer == writer && range.project == project && range.holds(stamp.sequence)
            };
            if !manifests.flushed.iter().any(holds) {
                for payload in &batch.payloads {
                    let rows = requests_of(&wal::decode_payload(payload)?);
                    let rows = rows.map_err(crate::Error::corrupt_data)?;
                    rows.into_iter().for_each(|row| *found.entry(row).or_default() += 1);
                }
            }
            Ok(())
        };
        wal::replay(&disk, &self.data_dir().join("wal"), &mut visit)
            .map_err(|error| Broken(format!("after a power cut now: {error}")))?;
        self.model.check_recovered(&found).map_err(Broken)
    }

    /// After a shutdown that says that it is clean, the log holds nothing.
    pub(super) fn check_log_is_empty(&self) -> Result<(), Broken> {
        let disk = self.disk.copy(Arc::new(Faults::new(0)));
        let left = wal::replay(&disk, &self.data_dir().join("wal"), &mut |_| Ok(()));
        match left.map_err(|error| Broken(format!("after a shutdown: {error}")))?.len() {
            0 => Ok(()),
            left => Err(Broken(format!("a clean shutdown leaves {left} segments of the write-ahead log"))),
        }
    }

    /// Nothing is in the store that nobody knows.
    pub(super) async fn check_no_orphans(&mut self) -> Result<(), Broken> {
        let engine = self.engine();
        let mut known = BTreeSet::new();
        for project in PROJECTS {
            let files = engine.snapshot(ProjectId(project)).files;
            known.extend(files.iter().flat_map(|file| [file.path.clone(), file.sidecar_path()]));
        }
        let is_known = |path: &Path| known.contains(path) || path.as_ref().starts_with("_catalog/");
        let orphans: Vec<_> = self.store.paths().await.into_iter().filter(|path| !is_known(path)).collect();
        if !orphans.is_empty() {
            return Err(Broken(format!("objects that nobody knows: {orphans:?}")));
        }
        match self.catalog.num_intents().await? {
            0 => Ok(()),
            left => Err(Broken(format!("{left} intents are left after a sweep"))),
        }
    }

    async fn read_manifests(&mut self) -> Result<Manifests, Broken> {
        let mut manifests = Manifests::default();
        let mut last_snapshot = 0;
        for path in self.store.paths().await {
            if !path.as_ref().starts_with("_catalog/") {
                continue;
            }
            let object = self.store.objects().get(&path).await.expect("BUG: memory cannot fail");
            let bytes = object.bytes().await.expect("BUG: memory cannot fail");
            let manifest: Value =
                serde_json::from_slice(&bytes).map_err(|error| Broken(format!("{path}: {error}")))?;
            for snapshot in array(&manifest, "snapshots")? {
                let number = integer(snapshot, "snapshot")?;
                if number <= last_snapshot {
                    continue;
                }
                if number != last_snapshot + 1 {
                    return Err(Broken(format!("no manifest has snapshot {}", last_snapshot + 1)));
                }
                last_snapshot = number;
                manifests.apply(snapshot)?;
            }
        }
        Ok(manifests)
    }
}

/// What the manifests in the store say.
#[derive(Debug, Default)]
struct Manifests {
    /// Live files: id and path.
    files: BTreeMap<String, Path>,
    flushed: Vec<FlushedRange>,
}

#[derive(Debug)]
struct FlushedRange {
    writer: String,
    project: i64,
    first: i64,
    last: i64,
}

impl FlushedRange {
    fn holds(&self, sequence: u64) -> bool {
        i64::try_from(sequence).is_ok_and(|sequence| (self.first..=self.last).contains(&sequence))
    }
}

impl Manifests {
    fn apply(&mut self, snapshot: &Value) -> Result<(), Broken> {
        for file in array(snapshot, "added_files")? {
            self.files.insert(text(file, "id")?, Path::from(text(file, "path")?));
        }
        for file in array(snapshot, "removed_files")? {
            let id = text(file, "id")?;
            if self.files.remove(&id).is_none() {
                return Err(Broken(format!("a manifest removes file {id}, which no manifest has added")));
            }
        }
        for range in array(snapshot, "flushed")? {
            self.flushed.push(FlushedRange {
                writer: text(range, "writer")?,
                project: integer(range, "project")?,
                first: integer(range, "first_sequence")?,
                last: integer(range, "last_sequence")?,
            });
        }
        Ok(())
    }
}

fn array<'v>(value: &'v Value, name: &str) -> Result<&'v Vec<Value>, Broken> {
    value[name].as_array().ok_or_else(|| Broken(format!("a manifest without {name}")))
}

fn integer(value: &Value, name: &str) -> Result<i64, Broken> {
    value[name].as_i64().ok_or_else(|| Broken(format!("a manifest without {name}")))
}

fn text(value: &Value, name: &str) -> Result<String, Broken> {
    value[name].as_str().map(str::to_owned).ok_or_else(|| Broken(format!("a manifest without {name}")))
}
