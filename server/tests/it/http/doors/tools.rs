//! What tools ask about a PostgreSQL server before and while somebody clicks: Grafana's data source and its query builder,
//! DBeaver, the JDBC driver, SQLAlchemy.

use axum::http::Method;
use serde_json::json;
use server::meta::Level;
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::super::people::person;
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
    (
        "select quote_ident(table_name) as \"table\" from information_schema.tables \
      where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache', \
      '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', \
      'timescaledb_experimental') and quote_ident(table_schema) IN ( SELECT \
      CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END FROM generate_series( \
      array_lower(string_to_array(current_setting('search_path'),','),1), \
      array_upper(string_to_array(current_setting('search_path'),','),1) ) as i, \
      string_to_array(current_setting('search_path'),',') s )",
        2,
    ),
    (
        "SELECT CASE WHEN quote_ident(table_schema) IN ( SELECT CASE WHEN trim(s[i]) = '\"$user\"' THEN user \
      ELSE trim(s[i]) END FROM generate_series( \
      array_lower(string_to_array(current_setting('search_path'),','),1), \
      array_upper(string_to_array(current_setting('search_path'),','),1) ) as i, \
      string_to_array(current_setting('search_path'),',') s ) THEN quote_ident(table_name) \
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS \"table\" \
      FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')",
        2,
    ),
    ("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", 0),
    ("SELECT installed_version FROM pg_available_extensions WHERE name = 'timescaledb'", 0),
    ("SELECT current_setting('server_version_num')::int/100 as version", 1),
    (
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'logs' AND data_type = 'timestamp with time zone'",
        3,
    ),
    // DBeaver: who it is, databases, schemas, tables, columns, types.
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
    ("SELECT current_database(), current_user, user", 1),
    ("SHOW server_version", 1),
    ("SHOW extra_float_digits", 1),
    ("SET extra_float_digits = 3", 0),
    ("SET application_name = 'DBeaver 25.0 - Main'", 0),
    (
        "SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type \
      LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join ( select s.r, \
      (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) \
      as r using ( nspname )) as sp ON sp.nspoid = typnamespace WHERE pg_type.oid = 25 ORDER BY sp.r, pg_type.oid DESC",
        1,
    ),
    (
        "SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description \
      FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem \
      LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid \
      LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid \
      WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')",
        10,
    ),
    (
        "SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description, \
      case when c.contype='c' then \"substring\"(pg_get_constraintdef(c.oid), 7) else null end consrc_copy \
      FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid \
      LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid \
      LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass \
      WHERE c.conrelid=16400 ORDER BY c.oid",
        0,
    ),
    (
        "SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description, \
      pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr, \
      pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans \
      FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid \
      INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid \
      WHERE i.indrelid=16400 ORDER BY tabrelname, c.relname",
        0,
    ),
    (
        "select c.oid,pg_catalog.pg_total_relation_size(c.oid) as total_rel_size,pg_catalog.pg_relation_size(c.oid) as rel_size \
      FROM pg_class c WHERE c.relnamespace='public'",
        2,
    ),
    ("SELECT x.oid,x.* FROM pg_catalog.pg_event_trigger x", 0),
    (
        "SELECT e.oid, e.extname, n.nspname as schema_name FROM pg_catalog.pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace",
        0,
    ),
    (
        "SELECT a.oid,a.*,pd.description FROM pg_catalog.pg_roles a left join pg_catalog.pg_shdescription pd on a.oid = pd.objoid ORDER BY a.rolname",
        1,
    ),
    ("SELECT oid, rolname, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", 1),
    (
        "SELECT p.oid as poid,p.*,pg_catalog.pg_get_expr(p.proargdefaults, 0) as arg_defaults,d.description FROM pg_catalog.pg_proc p \
      LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=p.oid AND d.objsubid = 0 \
      WHERE p.pronamespace = 'public'::regnamespace ORDER BY p.proname",
        16,
    ),
    ("SELECT * FROM pg_catalog.pg_enum WHERE enumtypid = 25 ORDER BY enumsortorder", 0),
    ("SELECT sa.* FROM pg_catalog.pg_stat_activity sa", 0),
    ("SELECT has_schema_privilege('public', 'CREATE') AS c, has_schema_privilege('public', 'USAGE') AS u", 1),
    ("SELECT has_table_privilege('logs', 'SELECT') WHERE NOT has_table_privilege('logs', 'INSERT')", 1),
    ("SHOW search_path", 1),
    // The JDBC driver's list of tables and SQLAlchemy's first questions.
    (
        "SELECT NULL AS table_cat, n.nspname AS table_schem, c.relname AS table_name FROM pg_catalog.pg_namespace n, \
      pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND n.nspname = 'public' ORDER BY 3",
        2,
    ),
    (
        "SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, \
      (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME \
      FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) \
      JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) \
      JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'logs' AND i.indisprimary",
        0,
    ),
    ("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'", 1),
    (
        "SELECT nspname AS TABLE_SCHEM, current_database() AS TABLE_CATALOG FROM pg_catalog.pg_namespace \
      WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]) ORDER BY TABLE_SCHEM",
        3,
    ),
    (
        "SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull, a.atttypmod, a.attlen, a.attnum, \
      pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype \
      FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) \
      JOIN pg_catalog.pg_attribute a ON (a.attrelid=c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) \
      LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid=def.adrelid AND a.attnum = def.adnum) \
      LEFT JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) \
      LEFT JOIN pg_catalog.pg_class dc ON (dc.oid=dsc.classoid AND dc.relname='pg_class') \
      LEFT JOIN pg_catalog.pg_namespace dn ON (dc.relnamespace=dn.oid AND dn.nspname='pg_catalog') \
      WHERE c.relkind in ('r','p','v','f','m') and a.attnum > 0 AND NOT a.attisdropped AND c.relname LIKE 'logs'",
        19,
    ),
    ("select pg_catalog.version()", 1),
    ("SELECT version() WHERE version() LIKE 'PostgreSQL 16%'", 1),
    ("show transaction isolation level", 1),
    (
        "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON \
      pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p']) \
      AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) \
      AND pg_catalog.pg_namespace.nspname != 'pg_catalog'",
        2,
    ),
    (
        "SELECT tc.constraint_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage k \
      ON tc.constraint_name = k.constraint_name WHERE tc.constraint_type = 'PRIMARY KEY'",
        0,
    ),
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

/// What a connection is told of, from every table of the catalog that names something.
async fn told(connection: &mut PgConnection) -> Vec<String> {
    let named = "SELECT relname FROM pg_catalog.pg_class UNION SELECT table_name FROM information_schema.tables \
                 UNION SELECT tablename FROM pg_tables UNION SELECT datname FROM pg_database \
                 UNION SELECT description FROM pg_description UNION SELECT attname FROM pg_attribute \
                 UNION SELECT column_name FROM information_schema.columns UNION SELECT rolname FROM pg_roles \
                 UNION SELECT current_database() UNION SELECT current_user";
    let rows = sqlx::query(named).fetch_all(connection).await.unwrap();
    rows.iter().filter_map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn the_catalog_tells_of_what_may_be_read_and_nothing_else() {
    let doors = Doors::open().await;
    let narrow = doors.server.limited_key(&["logs:read"], None, None).await;
    let made = json!({ "name": "Second" }).to_string();
    let made = doors.server.request(Method::POST, "/api/organizations/@current/projects/", made).await;
    let second = made.json()["id"].to_string();
    let member = person(&doors.server, "eve", Level::MEMBER).await;
    let whole = postgres::options(&doors, doors.server.key());
    let sees_all = [&["logs", "activity", "settings", "metrics", "detail"][..], &["1"]].concat();
    let sees_less = [&["logs", "queries"][..], &["1"]].concat();
    let askers = [
        (whole.clone(), sees_all, vec![second.as_str(), "eve@example.org"]),
        (postgres::options(&doors, &narrow), sees_less.clone(), vec!["activity", "item_id", second.as_str()]),
        (postgres::options(&doors, &member.key), sees_less, vec!["metrics", "what the server runs with"]),
        (whole.database(&second), vec!["logs", "activity", second.as_str()], vec!["1"]),
    ];
    // Twice, one after the other: what somebody is told stays with them.
    for _turn in 0..2 {
        for (options, seen, unseen) in &askers {
            let mut connection = options.connect().await.unwrap();
            let told = told(&mut connection).await;
            let has = |name: &&str| told.iter().any(|known| known == name);
            assert!(seen.iter().all(has) && !unseen.iter().any(has), "{seen:?} {unseen:?}: {told:?}");
        }
    }
    doors.close().await;
}

#[tokio::test]
async fn numbers_of_tables_and_what_is_said_of_them_stay() {
    let doors = Doors::open().await;
    let mut connection = postgres::connect(&doors, doors.server.key()).await.unwrap();
    let of_logs = "SELECT oid FROM pg_class WHERE relname = 'logs'";
    let first: Oid = sqlx::query_scalar(of_logs).fetch_one(&mut connection).await.unwrap();
    let said = "SELECT obj_description('logs'::regclass, 'pg_class') AS a, col_description('logs'::regclass, 11) AS b, \
                'logs'::regclass::int AS d, \
                pg_size_pretty(pg_total_relation_size('logs'::regclass)) AS e FROM pg_class LIMIT 1";
    let row = sqlx::query(said).fetch_one(&mut connection).await.unwrap();
    let texts = ["a", "b"].map(|name| row.get::<String, _>(name));
    let whole = "the project's log records";
    assert_eq!(texts, [whole, "the log's body as text; anything but a string is JSON"]);
    let described = "SELECT description FROM pg_description WHERE classoid = 'pg_class'::regclass \
                     AND objoid = 'public.logs'::regclass AND objsubid = 0";
    assert_eq!(sqlx::query_scalar::<_, String>(described).fetch_one(&mut connection).await.unwrap(), whole);
    assert_eq!(row.get::<i32, _>("d").cast_unsigned(), first.0);
    assert!(row.get::<String, _>("e").ends_with("B") || row.get::<String, _>("e").ends_with("bytes"));
    drop(connection);
    doors.close().await;
}
