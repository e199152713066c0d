//! The table `activity`: what the reader may see, and nothing about the rest.

use std::sync::Arc;

use arrow::array::AsArray;
use engine::activity::ActivityEntry;
use engine::clock::ManualClock;
use engine::operations::ReadOnlyStore;
use engine::query::{
    ActivityFilter, ActivityTenant, HiddenEntries, QueryOrigin, QuerySettings, from_datafusion,
};
use engine::schema::ProjectId;
use engine::sql::{SqlCaller, SqlQuery};
use engine::{Engine, Error};
use futures::TryStreamExt;

use super::{NOW_US, ORGANIZATION, OTHER, append, entry, open};

async fn ask(engine: &Engine, filter: &ActivityFilter, sql: &str) -> Result<String, Error> {
    let activity = Some((ORGANIZATION, filter.clone()));
    let query = SqlQuery::of(sql);
    let answer = engine.run_sql(ProjectId(1), activity, Vec::new(), SqlCaller::default(), query).await?;
    let batches: Vec<_> =
        answer.into_rows().try_collect().await.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
    Ok(arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string())
}

fn with(number: u128, change: impl FnOnce(&mut ActivityEntry)) -> ActivityEntry {
    let mut entry = entry(number);
    change(&mut entry);
    entry
}

#[tokio::test]
async fn a_statement_reads_the_entries_of_its_tenant_and_learns_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW_US));
    let engine = open(folder.path(), &clock).await;
    let entries = vec![
        with(1, |entry| entry.detail = Some("1".into())),
        with(2, |entry| {
            (entry.project, entry.detail) = (Some(ProjectId(2)), Some("of another project".into()))
        }),
        with(3, |entry| (entry.project, entry.detail) = (None, Some("of the organization".into()))),
        with(4, |entry| (entry.scope, entry.detail) = ("User".into(), Some("hidden".into()))),
    ];
    append(&engine, ORGANIZATION, entries).await;
    append(&engine, OTHER, vec![with(5, |entry| entry.detail = Some("of another organization".into()))])
        .await;
    let of_project = |with_organization| {
        let tenant = ActivityTenant::Project { project: ProjectId(1), with_organization };
        let hidden = HiddenEntries {
            scope: "User".to_owned(),
            activities: vec!["created".to_owned()],
            only_impersonated: false,
        };
        ActivityFilter { hidden: vec![hidden], ..ActivityFilter::all(tenant) }
    };
    for is_flushed in [false, true] {
        if is_flushed {
            engine.flush().await.unwrap();
        }
        let narrow = of_project(false);
        for sql in [
            "SELECT detail FROM activity",
            "SELECT detail FROM activity WHERE project_id = 2 OR true",
            "SELECT a.detail FROM activity a LEFT JOIN activity b ON a.sequence <> b.sequence",
            "SELECT detail FROM (SELECT *, row_number() OVER () AS n FROM activity) e",
            // Reads each detail as a number, which those of others are not: had it seen one, it would fail and tell.
            "SELECT detail FROM activity WHERE CAST(detail AS INT) > 0",
            "SELECT CAST(detail AS INT) FROM activity ORDER BY 1",
            "SELECT detail FROM activity WHERE 1 / (CASE WHEN detail = '1' THEN 1 ELSE 0 END) = 1",
        ] {
            let answer = ask(&engine, &narrow, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(answer.lines().filter(|line| line.starts_with("| 1 ")).count(), 1, "{sql}: {answer}");
            assert!(!answer.contains("another") && !answer.contains("hidden"), "{sql}: {answer}");
        }
        let count = "SELECT count(*) FROM activity";
        assert!(ask(&engine, &narrow, count).await.unwrap().contains("| 1 "));
        assert!(ask(&engine, &of_project(true), count).await.unwrap().contains("| 2 "));
        let all = ActivityFilter::all(ActivityTenant::Organization);
        assert!(ask(&engine, &all, count).await.unwrap().contains("| 4 "));
        let explained = ask(&engine, &narrow, "EXPLAIN SELECT detail FROM activity").await.unwrap();
        assert!(explained.contains("TenantExec") && explained.contains("activity: "), "{explained}");
        let columns = "SELECT count(*) FROM system.columns WHERE table_name = 'activity'";
        assert!(ask(&engine, &narrow, columns).await.unwrap().contains("18"));
    }
}

#[tokio::test]
async fn a_store_without_a_server_has_the_trails_of_its_organizations() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW_US));
    let engine = open(folder.path(), &clock).await;
    append(&engine, ORGANIZATION, vec![entry(1), with(2, |entry| entry.project = None)]).await;
    append(&engine, OTHER, vec![entry(3)]).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let storage = engine::storage::StorageConfig::default();
    let store = ReadOnlyStore::open(&storage, folder.path(), QuerySettings::default()).await.unwrap();
    assert_eq!(store.organizations(), [ORGANIZATION, OTHER]);
    let asked = async |trail| {
        let query = SqlQuery::of("SELECT item_id FROM activity ORDER BY item_id");
        let answer = store.run_sql(ProjectId(1), trail, query).await?;
        let batches: Vec<_> = answer.into_batches().try_collect().await?;
        let items = batches.iter().flat_map(|rows| rows.column(0).as_string_view().iter().flatten());
        Ok::<_, Error>(items.map(str::to_owned).collect::<Vec<String>>())
    };
    assert_eq!(asked(Some(ORGANIZATION)).await.unwrap(), ["1", "2"]);
    assert_eq!(asked(Some(OTHER)).await.unwrap(), ["3"]);
    assert!(asked(None).await.unwrap_err().message().contains("activity"));
}
