//! Arrow Flight SQL, as a driver speaks it.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::FlightInfo;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{CommandGetDbSchemas, CommandGetTables, SqlInfo};
use futures::TryStreamExt;
use serde_json::json;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::super::people::person;
use super::{Doors, TestCertificate};
use axum::http::Method;
use server::meta::Level;

pub(super) type Client = FlightSqlServiceClient<Channel>;

pub(super) async fn connect(doors: &Doors) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", doors.flight)).unwrap();
    FlightSqlServiceClient::new(endpoint.connect().await.unwrap())
}

pub(super) async fn with_key(doors: &Doors, key: &str) -> Client {
    let mut client = connect(doors).await;
    client.set_token(key.to_owned());
    client
}

async fn read(client: &mut Client, info: FlightInfo) -> Result<Vec<RecordBatch>, String> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket).await.map_err(|error| error.to_string())?;
    rows.try_collect().await.map_err(|error| error.to_string())
}

pub(super) async fn ask(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, String> {
    let info = client.execute(sql.to_owned(), None).await.map_err(|error| error.to_string())?;
    read(client, info).await
}

fn texts(rows: &[RecordBatch], column: usize) -> Vec<String> {
    let of_batch = |rows: &RecordBatch| -> Vec<String> {
        let texts = cast(rows.column(column), &DataType::Utf8).unwrap();
        texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    };
    rows.iter().flat_map(of_batch).collect()
}

#[tokio::test]
async fn statements_are_answered_with_their_columns() {
    let doors = Doors::open().await;
    let mut client = with_key(&doors, doors.server.key()).await;
    let sql = "SELECT service_name, count(*) AS n FROM logs GROUP BY 1 ORDER BY n DESC";
    let rows = ask(&mut client, sql).await.unwrap();
    assert_eq!(texts(&rows, 0), ["api", "web"]);
    assert_eq!(rows[0].column(1).as_primitive::<Int64Type>().values(), &[2, 1]);
    let whole = ask(&mut client, "SELECT * FROM logs").await.unwrap();
    assert_eq!((whole[0].num_columns(), whole.iter().map(RecordBatch::num_rows).sum::<usize>()), (19, 3));
    let empty = ask(&mut client, "SELECT body FROM logs WHERE false").await.unwrap();
    assert_eq!(empty.iter().map(RecordBatch::num_rows).sum::<usize>(), 0);
    let error = ask(&mut client, "SELECT nothing FROM logs").await.unwrap_err();
    assert!(error.contains("nothing"), "{error}");
    doors.close().await;
}

#[tokio::test]
async fn prepared_statements_take_values_and_nothing_but_values() {
    let doors = Doors::open().await;
    let mut client = with_key(&doors, doors.server.key()).await;
    let sql = "SELECT body FROM logs WHERE body = $1 OR severity_number > $2 ORDER BY body";
    let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().field(0).name(), "body");
    assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 2);
    let body: Arc<dyn arrow::array::Array> = Arc::new(StringArray::from(vec!["' OR true --"]));
    let number: Arc<dyn arrow::array::Array> = Arc::new(Int64Array::from(vec![16]));
    let values = RecordBatch::try_from_iter([("1", body), ("2", number)]).unwrap();
    prepared.set_parameters(values).unwrap();
    let info = prepared.execute().await.unwrap();
    assert_eq!(texts(&read(&mut client, info).await.unwrap(), 0), ["failed"]);
    prepared.close().await.unwrap();
    doors.close().await;
}

#[tokio::test]
async fn a_key_is_shown_with_every_call() {
    let doors = Doors::open().await;
    let mut nobody = connect(&doors).await;
    let error = ask(&mut nobody, "SELECT 1").await.unwrap_err();
    assert!(error.contains("API key"), "{error}");
    let mut wrong = with_key(&doors, "phx_wrong").await;
    assert!(ask(&mut wrong, "SELECT 1").await.unwrap_err().contains("invalid"));
    // Any user, and the key as the password.
    let mut client = connect(&doors).await;
    client.handshake("whoever", doors.server.key()).await.unwrap();
    assert_eq!(texts(&ask(&mut client, "SELECT 'a' AS a").await.unwrap(), 0), ["a"]);
    // A user whose name is a number asks about that project.
    let made = json!({ "name": "Second" }).to_string();
    let made = doors.server.request(Method::POST, "/api/organizations/@current/projects/", made).await;
    let second = made.json()["id"].as_i64().unwrap().to_string();
    let mut of_second = connect(&doors).await;
    of_second.handshake(&second, doors.server.key()).await.unwrap();
    let count = ask(&mut of_second, "SELECT count(*) FROM logs").await.unwrap();
    assert_eq!(count[0].column(0).as_primitive::<Int64Type>().value(0), 0);
    let mut of_first = with_key(&doors, doors.server.key()).await;
    of_first.set_header("project", "1");
    let count = ask(&mut of_first, "SELECT count(*) FROM logs").await.unwrap();
    assert_eq!(count[0].column(0).as_primitive::<Int64Type>().value(0), 3);
    // Keys without the scope, and keys for other projects.
    let key = doors.server.limited_key(&["alert:read"], None, None).await;
    assert!(ask(&mut with_key(&doors, &key).await, "SELECT 1").await.unwrap_err().contains("logs:read"));
    let key = doors.server.limited_key(&["logs:read"], Some(&[second.parse().unwrap()]), None).await;
    let mut limited = with_key(&doors, &key).await;
    limited.set_header("project", "1");
    assert!(ask(&mut limited, "SELECT 1").await.unwrap_err().contains("no access"));
    let error = ask(&mut with_key(&doors, &key).await, "SELECT * FROM activity").await.unwrap_err();
    assert!(error.contains("activity_log:read"), "{error}");
    doors.close().await;
}

#[tokio::test]
async fn drivers_are_told_what_there_is() {
    let doors = Doors::open().await;
    let member = person(&doors.server, "ann", Level::MEMBER).await;
    let mut client = with_key(&doors, &member.key).await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(texts(&read(&mut client, info).await.unwrap(), 0), ["timberline"]);
    let all = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: None };
    let info = client.get_db_schemas(all).await.unwrap();
    assert_eq!(texts(&read(&mut client, info).await.unwrap(), 1), ["public", "system"]);
    let tables = CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: Some("public".to_owned()),
        table_name_filter_pattern: None,
        table_types: Vec::new(),
        include_schema: true,
    };
    let info = client.get_tables(tables).await.unwrap();
    let rows = read(&mut client, info).await.unwrap();
    assert_eq!(texts(&rows, 2), ["activity", "logs"], "{}", pretty_format_batches(&rows).unwrap());
    assert_eq!(rows[0].column(4).data_type(), &DataType::Binary);
    let info = client.get_table_types().await.unwrap();
    assert_eq!(texts(&read(&mut client, info).await.unwrap(), 0).len(), 2);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(read(&mut client, info).await.unwrap()[0].num_rows(), 1);
    let info = client.get_xdbc_type_info(Default::default()).await.unwrap();
    assert!(read(&mut client, info).await.unwrap()[0].num_rows() > 3);
    doors.close().await;
}

#[tokio::test]
async fn a_driver_that_leaves_ends_its_statement() {
    let doors = Doors::open().await;
    let mut client = with_key(&doors, doors.server.key()).await;
    let endless = "SELECT value FROM generate_series(1, 1000000000000)";
    let info = client.execute(endless.to_owned(), None).await.unwrap();
    let rows = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    drop((rows, client));
    doors.until_latest_is("given_up").await;
    doors.close().await;
}

#[tokio::test]
async fn with_a_certificate_there_is_tls_and_nothing_else() {
    let certificate = TestCertificate::make();
    let doors = Doors::open_with(|config| certificate.in_settings(config)).await;
    let ca = Certificate::from_pem(std::fs::read(certificate.path()).unwrap());
    let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost");
    let endpoint = Endpoint::from_shared(format!("https://{}", doors.flight)).unwrap();
    let channel = endpoint.tls_config(tls).unwrap().connect().await.unwrap();
    let mut client = FlightSqlServiceClient::new(channel);
    client.set_token(doors.server.key().to_owned());
    assert_eq!(texts(&ask(&mut client, "SELECT 'safe' AS a").await.unwrap(), 0), ["safe"]);
    let mut plain = match Endpoint::from_shared(format!("http://{}", doors.flight)).unwrap().connect().await {
        Ok(channel) => FlightSqlServiceClient::new(channel),
        Err(_refused) => return doors.close().await,
    };
    plain.set_token(doors.server.key().to_owned());
    assert!(ask(&mut plain, "SELECT 1").await.is_err());
    drop((client, plain));
    doors.close().await;
}
