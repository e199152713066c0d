//! A store that is down, refuses, fails half-way or does not answer.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use engine::storage::{Storage, StorageConfig};
use engine::{Engine, ErrorKind};
use object_store::path::Path;

use super::engine_on_a_store::count;
use crate::durability::{NOW_US, ingest, names, open_at};
use crate::places::Place;
use crate::s3::SECRET;

#[track_caller]
fn assert_unavailable(error: &engine::Error, named: &str) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains(named), "{named} is not named: {error}");
    assert!(!text.contains(SECRET), "a secret is told: {text}");
}

/// A place whose engine asks the store for every byte, and soon gives up.
async fn uncached() -> Place {
    let mut place = Place::s3().await;
    place.config.cache_bytes = 0;
    place.config.max_retries = 0;
    place
}

fn data_file(engine: &Engine) -> Path {
    engine.snapshot(crate::durability::PROJECT).files[0].path.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_refused_at_the_start() {
    let place = Place::s3().await;
    for (option, value) in [("aws_secret_access_key", "wrong"), ("aws_access_key_id", "nobody-at-all")] {
        let mut config = place.engine_config();
        let known = config.storage.options.iter_mut().find(|(name, _)| name == option).unwrap();
        known.1 = value.to_owned();
        let error = open_at(config, NOW_US).await.unwrap_err();
        assert_unavailable(&error, "s3://bucket-of-tests/some/prefix");
        assert!(error.to_string().contains("refuses the credentials"), "{error}");
        assert!(!error.to_string().contains("nobody-at-all"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_does_not_exist_is_named() {
    let place = Place::s3().await;
    let config = StorageConfig { url: Some("s3://no-such-bucket".into()), ..place.config.clone() };
    let error = Storage::open(&config, place.data_dir.path()).await.unwrap_err();
    assert_unavailable(&error, "s3://no-such-bucket");
    assert!(error.to_string().contains("no such bucket"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_not_shown() {
    let place = Place::s3().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    let shown = format!("{:?} {:?} {engine:?}", place.open().await, place.engine_config());
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_down_rows_are_taken_and_files_are_not_guessed() {
    let place = uncached().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("stored", 30)).await;
    engine.flush().await.unwrap();
    place.server().stop().await;

    ingest(&engine, &names("fresh", 20)).await;
    let flushed = engine.flush().await.unwrap_err();
    assert_unavailable(&flushed, "logs/project=1");
    let file = data_file(&engine);
    assert_unavailable(&count(&engine, "stored-").await.unwrap_err(), file.as_ref());

    place.server().resume().await;
    assert_eq!(count(&engine, "stored-").await.unwrap(), 30);
    assert_eq!(count(&engine, "fresh-").await.unwrap(), 20, "once, though a flush failed");
    engine.flush().await.unwrap();
    assert_eq!(count(&engine, "fresh-").await.unwrap(), 20);
    assert_eq!(engine.snapshot(crate::durability::PROJECT).files.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_starts_and_takes_rows_while_the_store_is_down() {
    let place = uncached().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("before", 10)).await;
    drop(engine);
    place.server().stop().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("during", 10)).await;
    assert_eq!(count(&engine, "-").await.unwrap(), 20);
    place.server().resume().await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    assert_eq!(count(&engine, "-").await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cached_is_answered_while_the_store_is_down() {
    let place = Place::s3().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("stored", 30)).await;
    engine.flush().await.unwrap();
    assert_eq!(count(&engine, "stored-").await.unwrap(), 30);
    engine.shutdown().await.unwrap();
    drop(engine);
    place.server().stop().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    assert_eq!(count(&engine, "stored-").await.unwrap(), 30, "blocks survive a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_put_loses_nothing_and_is_repeated() {
    let place = uncached().await;
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("kept", 40)).await;
    place.server().fail(Some("PutObject"));
    let error = engine.flush().await.unwrap_err();
    assert_unavailable(&error, "s3://bucket-of-tests/some/prefix");
    assert_eq!(count(&engine, "kept-").await.unwrap(), 40);
    place.server().fail(None);
    engine.flush().await.unwrap();
    assert_eq!(count(&engine, "kept-").await.unwrap(), 40);
    let file: PathBuf = place.server().file_of(data_file(&engine).as_ref());
    assert_eq!(
        std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1,
        "no object of the failed flush"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_part_or_end_fails_is_taken_back() {
    let place = uncached().await;
    let storage = place.open().await;
    for operation in ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"] {
        let path = Path::from(format!("logs/{operation}"));
        place.server().fail(Some(operation));
        let mut upload = storage.upload(&path);
        let mut result = Ok(());
        for _ in 0..5 {
            result = result.and(upload.write(Bytes::from(vec![1; 5 << 20])).await);
        }
        let error = match result {
            Ok(()) => upload.finish().await.unwrap_err(),
            Err(error) => {
                assert_eq!(upload.finish().await.unwrap_err().kind(), ErrorKind::Internal, "it has ended");
                error
            }
        };
        assert_unavailable(&error, path.as_ref());
        place.server().fail(None);
        assert_eq!(storage.get(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(place.server().num_loose_parts(), 0, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_not_waited_for() {
    let mut place = uncached().await;
    place.config.request_timeout = Duration::from_millis(200);
    let storage = place.open().await;
    place.server().fall_silent();
    let path = Path::from("logs/a");
    assert_unavailable(&storage.put(&path, Bytes::from_static(b"a")).await.unwrap_err(), "logs/a");
    assert_unavailable(&storage.get(&path).await.unwrap_err(), "logs/a");
    assert_unavailable(&storage.size(&path).await.unwrap_err(), "logs/a");
    // Opening it again neither fails nor hangs.
    place.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_failure_is_repeated_by_the_client() {
    let place = Place::s3().await;
    let storage = place.open().await;
    place.server().operations();
    place.server().fail(Some("PutObject"));
    storage.put(&Path::from("logs/a"), Bytes::from_static(b"a")).await.unwrap_err();
    let operations = place.server().operations();
    assert_eq!(operations, ["PutObject", "PutObject"], "once, and repeated as often as the settings say");
}
