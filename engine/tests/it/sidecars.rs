//! Sidecars of an engine's data files: there when files are large enough, made again when they are gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data::{LogGenerator, LogSpec, encode};
use engine::clock::{Clock, ManualClock};
use engine::index::Sidecar;
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::operations::{DoctorOptions, Finding, FindingKind, doctor, rebuild_sidecars};
use engine::schema::{ProjectId, TableId};
use engine::storage::DataFile;
use engine::{Engine, EngineConfig};
use tempfile::TempDir;

const NOW_US: i64 = 1_765_881_156_184_820;
const PROJECT: ProjectId = ProjectId(1);
const NUM_ROWS: u64 = 9000;

fn config(folder: &Path) -> EngineConfig {
    EngineConfig { compaction: false, ..EngineConfig::new(folder) }
}

async fn open(folder: &Path) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    Engine::open(config(folder), clock).await.unwrap()
}

/// Files of all rows, merged into one.
async fn write(folder: &Path) -> DataFile {
    let engine = open(folder).await;
    let spec = LogSpec { rows: NUM_ROWS, ..LogSpec::default() };
    for request in LogGenerator::new(spec).unwrap() {
        let body = encode::to_protobuf(&request);
        let logs = decode_otlp_protobuf(&body, NOW_US, &RecordLimits::default()).unwrap();
        engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
    }
    engine.flush().await.unwrap();
    engine.compact(true).await.unwrap();
    let files = engine.snapshot(PROJECT).files;
    assert_eq!(files.len(), 1);
    engine.shutdown().await.unwrap();
    files[0].as_ref().clone()
}

fn sidecar_path(folder: &Path, file: &DataFile) -> PathBuf {
    folder.join(file.sidecar_path().as_ref())
}

fn read(folder: &Path, file: &DataFile) -> Sidecar {
    let bytes = fs::read(sidecar_path(folder, file)).unwrap();
    assert!(!bytes.is_empty());
    Sidecar::open(&file.sidecar_path(), bytes.into()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_has_a_sidecar_that_is_made_again_as_it_was() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path()).await;
    let path = sidecar_path(folder.path(), &file);
    let written = fs::read(&path).unwrap();
    assert_eq!(file.sidecar_bytes, written.len() as u64);
    let sidecar = read(folder.path(), &file);
    assert_eq!((sidecar.file_id(), sidecar.num_rows()), (file.id, NUM_ROWS));
    let rollup = sidecar.rollup().present().unwrap();
    assert_eq!(rollup.cells().map(|cell| cell.num_rows).sum::<u64>(), NUM_ROWS);

    let whole = rebuild_sidecars(&config(folder.path()), false).await.unwrap();
    assert_eq!((whole.num_built, whole.num_kept), (0, 1));
    for damage in [&b""[..], b"no sidecar", &written[..written.len() / 2]] {
        fs::write(&path, damage).unwrap();
        let report = rebuild_sidecars(&config(folder.path()), false).await.unwrap();
        assert_eq!((report.num_built, report.num_kept, report.failures.len()), (1, 0, 0));
        assert_eq!(fs::read(&path).unwrap(), written);
    }
    fs::remove_file(&path).unwrap();
    let report = rebuild_sidecars(&config(folder.path()), false).await.unwrap();
    assert_eq!(report.num_built, 1);
    assert_eq!(fs::read(&path).unwrap(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_data_file_is_named_and_the_others_are_done() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path()).await;
    fs::remove_file(sidecar_path(folder.path(), &file)).unwrap();
    fs::write(folder.path().join(file.path.as_ref()), vec![7; file.size_bytes as usize]).unwrap();
    let report = rebuild_sidecars(&config(folder.path()), false).await.unwrap();
    assert_eq!(report.num_built, 0);
    assert_eq!(report.failures[0].0, file.path);
    assert!(report.failures[0].1.to_string().contains(file.path.as_ref()));
}

/// What the doctor says of the sidecar, if anything.
async fn check(folder: &Path, options: &DoctorOptions, file: &DataFile) -> Option<Finding> {
    let report = doctor(&config(folder), &ManualClock::new(NOW_US), options).await.unwrap();
    let found: Vec<Finding> = report.findings;
    assert!(found.len() <= 1, "{found:#?}");
    let finding = found.into_iter().next()?;
    assert_eq!(
        (finding.kind, finding.object.as_str()),
        (FindingKind::SidecarDamaged, file.sidecar_path().as_ref())
    );
    assert!(finding.repair.as_ref().unwrap().contains("--repair"), "{finding:?}");
    Some(finding)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_every_damage_and_mends_it() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path()).await;
    let path = sidecar_path(folder.path(), &file);
    let whole = fs::read(&path).unwrap();
    let look = DoctorOptions::default();
    assert_eq!(check(folder.path(), &look, &file).await, None);
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        fs::write(&path, flipped).unwrap();
        assert!(check(folder.path(), &look, &file).await.is_some(), "bit {at} is flipped");
    }
    let another = [&whole[..12], &[7; 16], &whole[28..]].concat();
    let damages: [&dyn Fn(); 4] = [
        &|| fs::remove_file(&path).unwrap(),
        &|| fs::write(&path, &whole[..whole.len() / 2]).unwrap(),
        &|| fs::write(&path, &another).unwrap(),
        &|| fs::write(&path, vec![0; whole.len()]).unwrap(),
    ];
    let repair = DoctorOptions { repair: true, ..DoctorOptions::default() };
    for damage in damages {
        damage();
        assert!(!check(folder.path(), &look, &file).await.unwrap().is_repaired);
        assert!(check(folder.path(), &repair, &file).await.unwrap().is_repaired);
        assert_eq!(check(folder.path(), &look, &file).await, None);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_with_a_damaged_recipe_is_made_again() {
    let folder = TempDir::new().unwrap();
    let file = write(folder.path()).await;
    let path = sidecar_path(folder.path(), &file);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    fs::write(&path, flipped).unwrap();
    let report = rebuild_sidecars(&config(folder.path()), false).await.unwrap();
    assert_eq!((report.num_built, report.num_kept), (1, 0));
    assert_eq!(fs::read(&path).unwrap(), whole);
}
