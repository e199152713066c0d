//! Where tests keep objects: a folder, an S3 server in the test process, or a server of one's own.
//!
//! Tests of storage run on all of them. For a server of one's own, say [garage](https://garagehq.deuxfleurs.fr) or
//! MinIO, `TIMBERLINE_TEST_STORAGE_URL` names a bucket, like `s3://tests`, and `AWS_*` variables say how to reach it.
//! With `TIMBERLINE_TEST_STORE=s3` the tests of queries read from the S3 server too, and not from memory.

use std::sync::Arc;

use engine::EngineConfig;
use engine::storage::{Storage, StorageConfig};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tempfile::TempDir;
use uuid::Uuid;

use crate::s3::S3Server;

/// A data folder and a store.
pub(crate) struct Place {
    pub(crate) data_dir: TempDir,
    pub(crate) config: StorageConfig,
    /// The server, when it is the tests' own.
    server: Option<S3Server>,
}

impl Place {
    pub(crate) fn folder() -> Self {
        Self { data_dir: TempDir::new().unwrap(), config: StorageConfig::default(), server: None }
    }

    pub(crate) async fn s3() -> Self {
        let server = S3Server::start().await;
        Self { data_dir: TempDir::new().unwrap(), config: server.config(), server: Some(server) }
    }

    /// A new prefix in a bucket of one's own, when there is one.
    pub(crate) fn elsewhere() -> Option<Self> {
        let Ok(url) = std::env::var("TIMBERLINE_TEST_STORAGE_URL") else {
            eprintln!("skipped: TIMBERLINE_TEST_STORAGE_URL names no bucket");
            return None;
        };
        let mut config = StorageConfig::at(format!("{}/{}", url.trim_end_matches('/'), Uuid::now_v7()));
        config.options = std::env::vars().filter(|(name, _)| config.accepts_option(name)).collect();
        Some(Self { data_dir: TempDir::new().unwrap(), config, server: None })
    }

    pub(crate) fn server(&self) -> &S3Server {
        self.server.as_ref().expect("the place has a server of its own")
    }

    pub(crate) async fn open(&self) -> Storage {
        Storage::open(&self.config, self.data_dir.path()).await.unwrap()
    }

    pub(crate) fn engine_config(&self) -> EngineConfig {
        EngineConfig { storage: self.config.clone(), ..crate::durability::config(self.data_dir.path()) }
    }
}

/// A store for tests of queries, and what has to live as long.
pub(crate) async fn query_store() -> (Arc<dyn ObjectStore>, Option<Place>) {
    match std::env::var("TIMBERLINE_TEST_STORE").as_deref() {
        Ok("s3") => {
            let place = Place::s3().await;
            (place.open().await.object_store(), Some(place))
        }
        _ => (Arc::new(InMemory::new()), None),
    }
}

/// Makes a test of each function, on each kind of place.
macro_rules! on_every_place {
    ($($test:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&crate::places::Place::folder()).await;
            })*
        }
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&crate::places::Place::s3().await).await;
            })*
        }
        mod elsewhere {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                if let Some(place) = crate::places::Place::elsewhere() {
                    super::$test(&place).await;
                }
            })*
        }
    };
}
pub(crate) use on_every_place;
