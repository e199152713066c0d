//! What holds of objects, whatever they are kept in.

use bytes::Bytes;
use engine::ErrorKind;
use engine::storage::{Storage, StoredObject};
use futures::TryStreamExt;
use object_store::path::Path;

use crate::places::{Place, on_every_place};

on_every_place!(
    what_is_put_is_there,
    an_object_that_is_not_there_is_named,
    uploads_of_every_size_are_whole,
    an_upload_is_not_there_before_it_is_finished,
    an_upload_that_is_given_up_leaves_no_object,
    a_put_that_is_repeated_is_harmless,
    uploads_side_by_side_do_not_mix,
);

const MIB: usize = 1 << 20;

/// Bytes that differ from place to place.
fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| (at % 253) as u8 ^ (at >> 16) as u8).collect()
}

async fn list(storage: &Storage, prefix: &str) -> Vec<StoredObject> {
    let mut objects: Vec<_> = storage.list(&Path::from(prefix)).try_collect().await.unwrap();
    objects.sort_by(|a: &StoredObject, b| a.path.cmp(&b.path));
    objects
}

async fn what_is_put_is_there(place: &Place) {
    let storage = place.open().await;
    let paths = ["logs/project=1/a.parquet", "logs/project=1/date=2026-01-01/b.parquet", "_catalog/1.json"];
    for (length, path) in (100_000..).zip(paths) {
        storage.put(&path.into(), bytes(length)).await.unwrap();
    }
    for (length, path) in (100_000..).zip(paths.map(Path::from)) {
        assert_eq!(storage.get(&path).await.unwrap(), bytes(length));
        assert_eq!(storage.size(&path).await.unwrap(), length as u64);
        assert_eq!(storage.get_range(&path, 99_000..100_000).await.unwrap(), bytes(length)[99_000..100_000]);
        let ranges = [5..7, 0..3, 70_000..99_999];
        let parts = storage.get_ranges(&path, &ranges).await.unwrap();
        let expected = ranges.map(|range| bytes(length).slice(range.start as usize..range.end as usize));
        assert_eq!(parts, expected);
        assert!(
            storage.get_range(&path, 0..200_000).await.is_err(),
            "a part beyond the end is not cut short"
        );
    }
    let object = |path: &str, size_bytes| StoredObject { path: path.into(), size_bytes };
    let expected = [object(paths[0], 100_000), object(paths[1], 100_001)];
    assert_eq!(list(&storage, "logs").await, expected);
    storage.delete(&paths[0].into()).await.unwrap();
    assert_eq!(list(&storage, "logs").await, expected[1..]);
    assert_eq!(storage.get(&paths[0].into()).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn an_object_that_is_not_there_is_named(place: &Place) {
    let storage = place.open().await;
    let path = Path::from("logs/project=1/missing.parquet");
    let errors = [
        storage.get(&path).await.unwrap_err(),
        storage.size(&path).await.unwrap_err(),
        storage.get_range(&path, 0..10).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.message().contains("missing.parquet"), "{error}");
    }
    storage.delete(&path).await.unwrap();
    assert!(list(&storage, "logs").await.is_empty());
}

async fn uploads_of_every_size_are_whole(place: &Place) {
    let storage = place.open().await;
    let sizes = [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 24 * MIB, 24 * MIB + 17];
    for (length, piece) in sizes.into_iter().zip([1, 1, 100_003, 3 * MIB, 8 * MIB, 9 * MIB, 33 * MIB]) {
        let path = Path::from(format!("logs/{length}"));
        let whole = bytes(length);
        let mut upload = storage.upload(&path);
        for start in (0..length).step_by(piece) {
            upload.write(whole.slice(start..length.min(start + piece))).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap(), length as u64);
        assert!(storage.get(&path).await.unwrap() == whole, "{length} bytes in pieces of {piece}");
    }
    assert_eq!(list(&storage, "logs").await.len(), sizes.len());
}

async fn an_upload_is_not_there_before_it_is_finished(place: &Place) {
    let storage = place.open().await;
    for length in [100, 17 * MIB] {
        let path = Path::from(format!("logs/{length}"));
        let mut upload = storage.upload(&path);
        upload.write(bytes(length)).await.unwrap();
        assert_eq!(storage.size(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(list(&storage, "logs").await.iter().all(|object| object.path != path));
        upload.finish().await.unwrap();
        assert_eq!(storage.size(&path).await.unwrap(), length as u64);
    }
}

async fn an_upload_that_is_given_up_leaves_no_object(place: &Place) {
    let storage = place.open().await;
    let path = Path::from("logs/given-up");
    let mut upload = storage.upload(&path);
    upload.write(bytes(17 * MIB)).await.unwrap();
    drop(upload);
    assert_eq!(storage.size(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(list(&storage, "logs").await.is_empty());
}

async fn a_put_that_is_repeated_is_harmless(place: &Place) {
    let storage = place.open().await;
    let path = Path::from("logs/twice");
    let (first, second) = tokio::join!(storage.put(&path, bytes(MIB)), storage.put(&path, bytes(MIB)));
    first.and(second).unwrap();
    storage.put(&path, bytes(MIB)).await.unwrap();
    assert!(storage.get(&path).await.unwrap() == bytes(MIB));
    assert_eq!(list(&storage, "logs").await.len(), 1);
}

async fn uploads_side_by_side_do_not_mix(place: &Place) {
    let storage = place.open().await;
    let upload = |number: usize| {
        let storage = storage.clone();
        async move {
            let path = Path::from(format!("logs/{number}"));
            let mut upload = storage.upload(&path);
            for _ in 0..5 {
                upload.write(Bytes::from(vec![number as u8; 2 * MIB])).await.unwrap();
            }
            upload.finish().await.unwrap();
            storage.get(&path).await.unwrap()
        }
    };
    let read = tokio::join!(upload(1), upload(2), upload(3));
    for (number, bytes) in (1..).zip([read.0, read.1, read.2]) {
        assert!(bytes.len() == 10 * MIB && bytes.iter().all(|&byte| byte == number), "object {number}");
    }
}
