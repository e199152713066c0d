//! Empty metadata databases for tests, on every backend.
//!
//! PostgreSQL takes part where `TIMBERLINE_TEST_POSTGRES_URL` names a server on which databases can be made; without
//! it tests say that they left it out, and fail where `CI` is set.

use std::future::Future;

use sqlx::any::install_default_drivers;
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use super::{Meta, MetaLocation};

/// URL of a server and any database on it, `postgres://user@127.0.0.1:port/database`.
const POSTGRES_URL: &str = "TIMBERLINE_TEST_POSTGRES_URL";

/// Runs a test on a new database of each backend.
pub(crate) async fn on_every_backend<F: Future<Output = ()>>(test: impl Fn(Meta) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta::open(&folder.path().join(super::FILE_NAME)).await.unwrap();
    test(meta.clone()).await;
    meta.close().await;
    match std::env::var(POSTGRES_URL) {
        Ok(url) => on_postgres(&url, test).await,
        Err(_) if std::env::var_os("CI").is_some() => panic!("{POSTGRES_URL} is not set"),
        Err(_) => eprintln!("PostgreSQL is left out: {POSTGRES_URL} is not set"),
    }
}

async fn on_postgres<F: Future<Output = ()>>(url: &str, test: impl Fn(Meta) -> F) {
    install_default_drivers();
    let mut server = sqlx::AnyConnection::connect(url).await.unwrap();
    let name = format!("timberline_test_{}", Uuid::now_v7().simple());
    server.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let (address, _database) = url.rsplit_once('/').unwrap();
    let meta = Meta::open_at(&MetaLocation::Postgres(format!("{address}/{name}"))).await.unwrap();
    test(meta.clone()).await;
    meta.close().await;
    server.execute(AssertSqlSafe(format!("DROP DATABASE {name}"))).await.unwrap();
}
