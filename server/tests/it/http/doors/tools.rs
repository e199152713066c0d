//! What tools ask about a PostgreSQL server before and while somebody clicks: Grafana's data source and its query builder,
//! DBeaver, the JDBC driver, SQLAlchemy.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use super::{Doors, postgres};

/// Each has to be answered, with at least so many rows.
const ASKED: &[(&str, usize)] = &[
    // Grafana: its test of the connection, its macros for times, the tables and columns of its query builder.
    ("SELECT 1", 1),
    (
        "SELECT floor(extract(epoch from timestamp)/300)*300 AS \"time\", count(*) AS n FROM logs \
      WHERE timestamp BETWEEN '2025-12-16T00:00:00Z' AND '2025-12-17T00:00:00Z' GROUP BY 1 ORDER BY 1",
        1,
    ),
    (
        "SELECT timestamp AS \"time\", service_name AS metric, severity_number AS value FROM logs \
      WHERE extract(epoch from timestamp) >= 1765843200 ORDER BY 1",
        3,
    ),
    (
        "SELECT quote_ident(table_name) AS \"table\" FROM information_schema.tables \
      WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog') ORDER BY 1",
        2,
    ),
    (
        "SELECT quote_ident(column_name) AS \"column\", data_type AS \"type\" FROM information_schema.columns \
      WHERE quote_ident(table_name) = 'logs'",
        19,
    ),
    // DBeaver: databases, schemas, tables, columns, types.
    ("SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datname = '1'", 1),
    (
        "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d \
      ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname",
        2,
    ),
    (
        "SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr \
      FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 \
      AND d.classoid = 'pg_class'::regclass WHERE c.relname = 'logs' AND c.relkind NOT IN ('i', 'I', 'c')",
        1,
    ),
    (
        "SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description \
      FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid \
      LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum \
      LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid \
      WHERE NOT a.attisdropped AND c.relname = 'logs' ORDER BY a.attnum",
        19,
    ),
    ("SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'", 0),
    ("SELECT current_schema(), session_user", 1),
    ("SHOW search_path", 1),
    // The JDBC driver's list of tables and SQLAlchemy's first questions.
    (
        "SELECT NULL AS table_cat, n.nspname AS table_schem, c.relname AS table_name FROM pg_catalog.pg_namespace n, \
      pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND n.nspname = 'public' ORDER BY 3",
        2,
    ),
    ("select pg_catalog.version()", 1),
    ("show standard_conforming_strings", 1),
    ("SELECT t.oid, typarray FROM pg_type t WHERE t.typname = 'text'", 1),
];

async fn num_rows(connection: &mut PgConnection, sql: &str) -> Result<usize, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.map(|rows| rows.len())
}

#[tokio::test]
async fn tools_are_answered() {
    let doors = Doors::open().await;
    let mut connection = postgres::connect(&doors, doors.server.key()).await.unwrap();
    let mut wrong = Vec::new();
    for (sql, at_least) in ASKED {
        let answer = num_rows(&mut connection, sql).await;
        if !matches!(&answer, Ok(rows) if rows >= at_least) {
            wrong.push(format!("{sql}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    doors.close().await;
}

#[tokio::test]
async fn the_catalog_tells_of_what_may_be_read_and_nothing_else() {
    let doors = Doors::open().await;
    let narrow = doors.server.limited_key(&["logs:read"], None, None).await;
    let mut connection = postgres::connect(&doors, &narrow).await.unwrap();
    let named =
        "SELECT relname FROM pg_catalog.pg_class UNION SELECT table_name FROM information_schema.tables";
    let rows = sqlx::query(named).fetch_all(&mut connection).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    assert!(has("logs") && !has("activity"), "{names:?}");
    let databases =
        sqlx::query("SELECT datname FROM pg_catalog.pg_database").fetch_all(&mut connection).await.unwrap();
    let databases: Vec<String> = databases.iter().map(|row| row.get(0)).collect();
    assert!(!databases.iter().any(|name| name == "2"), "{databases:?}");
    drop(connection);
    doors.close().await;
}
