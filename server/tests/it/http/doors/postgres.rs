//! The PostgreSQL protocol, as drivers speak it.

use axum::http::Method;
use futures::TryStreamExt;
use serde_json::json;
use server::meta::Level;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::super::people::person;
use super::{Doors, TestCertificate};

pub(super) fn options(doors: &Doors, key: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(doors.postgres.port())
        .username("ann")
        .password(key)
        .database("1")
        .ssl_mode(PgSslMode::Disable)
}

pub(super) async fn connect(doors: &Doors, key: &str) -> Result<PgConnection, sqlx::Error> {
    options(doors, key).connect().await
}

fn code(error: &sqlx::Error) -> String {
    let of_database = error.as_database_error().and_then(|error| error.code());
    of_database.map_or_else(|| error.to_string(), |code| code.into_owned())
}

#[tokio::test]
async fn statements_with_parameters_are_answered_in_their_types() {
    let doors = Doors::open().await;
    let mut connection = connect(&doors, doors.server.key()).await.unwrap();
    let sql = "SELECT body, severity_number::bigint AS n, timestamp, trace_id, body = $1 AS same \
               FROM logs WHERE severity_number >= $2 AND timestamp > '2000-01-01T00:00:00Z' ORDER BY body";
    let rows = sqlx::query(sql).bind("failed").bind(17_i32).fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<String, _>("body"), "failed");
    assert_eq!(rows[0].get::<i64, _>("n"), 17);
    assert_eq!(rows[0].get::<Vec<u8>, _>("trace_id").len(), 16);
    assert!(rows[0].get::<bool, _>("same"));
    let injected = sqlx::query("SELECT count(*) AS n FROM logs WHERE body = $1");
    let row = injected.bind("' OR true --").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i64, _>("n"), 0);
    // Maps are JSON.
    let row = sqlx::query("SELECT resource_attributes AS r FROM logs WHERE service_name = 'web'");
    let text: String = row.fetch_one(&mut connection).await.unwrap().get("r");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["service.name"], "web");
    connection.close().await.unwrap();
    doors.close().await;
}

#[tokio::test]
async fn the_password_is_a_key_and_the_database_a_project() {
    let doors = Doors::open().await;
    let key = doors.server.key();
    let refused = async |options: PgConnectOptions| match options.connect().await {
        Err(error) => code(&error),
        Ok(_connected) => "connected".to_owned(),
    };
    assert_eq!(refused(options(&doors, "phx_wrong")).await, "28P01");
    assert_eq!(refused(options(&doors, key).database("999")).await, "3D000");
    assert_eq!(refused(options(&doors, key).database("other")).await, "3D000");
    let narrow = doors.server.limited_key(&["alert:read"], None, None).await;
    assert_eq!(refused(options(&doors, &narrow)).await, "42501");
    let made = json!({ "name": "Second" }).to_string();
    let made = doors.server.request(Method::POST, "/api/organizations/@current/projects/", made).await;
    let second = made.json()["id"].as_i64().unwrap();
    let only_second = doors.server.limited_key(&["logs:read"], Some(&[second]), None).await;
    assert_eq!(refused(options(&doors, &only_second)).await, "42501");
    let options = options(&doors, &only_second).database("ann");
    let mut connection = options.connect().await.unwrap();
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM logs").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count, 0, "a key for one project needs no name of it");
    drop(connection);
    doors.close().await;
}

#[tokio::test]
async fn a_key_that_is_taken_away_asks_no_more() {
    let doors = Doors::open().await;
    let member = person(&doors.server, "ann", Level::MEMBER).await;
    let mut connection = connect(&doors, &member.key).await.unwrap();
    let one = |n: i32| AssertSqlSafe(format!("SELECT {n}"));
    assert!(connection.execute(one(1)).await.is_ok());
    doors.server.change_metadata("DELETE FROM personal_api_keys").await;
    assert_eq!(code(&connection.execute(one(2)).await.unwrap_err()), "28P01");
    doors.close().await;
}

#[tokio::test]
async fn a_session_has_transactions_settings_and_cursors() {
    let doors = Doors::open().await;
    let mut connection = connect(&doors, doors.server.key()).await.unwrap();
    for text in ["SET application_name = 'test'", "BEGIN READ ONLY", "SET TIME ZONE 'UTC'"] {
        sqlx::raw_sql(text).execute(&mut connection).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let shown: String = sqlx::query_scalar("SHOW application_name").fetch_one(&mut connection).await.unwrap();
    assert_eq!(shown, "test");
    let declare = "DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 10) ORDER BY value";
    sqlx::raw_sql(declare).execute(&mut connection).await.unwrap();
    let mut fetched = Vec::new();
    for _turn in 0..3 {
        let rows = sqlx::raw_sql("FETCH 4 FROM c").fetch_all(&mut connection).await.unwrap();
        fetched.push(rows.len());
    }
    assert_eq!(fetched, [4, 4, 2]);
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();
    let gone = sqlx::raw_sql("FETCH 1 FROM c").execute(&mut connection).await.unwrap_err();
    assert_eq!(code(&gone), "34000");
    let several = sqlx::raw_sql("SELECT 1; SELECT 2; SHOW server_version").fetch_all(&mut connection).await;
    assert_eq!(several.unwrap().len(), 3);
    doors.close().await;
}

#[tokio::test]
async fn a_client_ends_its_statement() {
    let doors = Doors::open().await;
    let mut connection = connect(&doors, doors.server.key()).await.unwrap();
    sqlx::raw_sql("SET statement_timeout = '300ms'").execute(&mut connection).await.unwrap();
    let endless = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    let error = sqlx::raw_sql(endless).execute(&mut connection).await.unwrap_err();
    assert_eq!(code(&error), "57014");
    sqlx::raw_sql("RESET ALL").execute(&mut connection).await.unwrap();
    // Reads some rows and goes: what it read of has ended then.
    let many = "SELECT value FROM generate_series(1, 1000000000000)";
    {
        let mut rows = sqlx::raw_sql(many).fetch(&mut connection);
        assert!(rows.try_next().await.unwrap().is_some());
    }
    drop(connection);
    doors.until_latest_is("given_up").await;
    doors.close().await;
}

#[tokio::test]
async fn with_a_certificate_there_is_tls_and_nothing_else() {
    let certificate = TestCertificate::make();
    let doors = Doors::open_with(|config| certificate.in_settings(config)).await;
    let key = doors.server.key();
    let secure = options(&doors, key).host("localhost").ssl_mode(PgSslMode::VerifyCa);
    let secure = secure.ssl_root_cert(certificate.path());
    let mut connection = secure.connect().await.unwrap();
    let one: i64 = sqlx::query_scalar("SELECT count(*) FROM logs").fetch_one(&mut connection).await.unwrap();
    assert_eq!(one, 3);
    assert_eq!(code(&connect(&doors, key).await.unwrap_err()), "28000");
    drop(connection);
    doors.close().await;
}
