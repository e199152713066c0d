//! The questions in `queries/`, and their answers as text.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arrow::util::pretty::pretty_format_batches;
use engine::Engine;
use engine::query::{ActivityFilter, ActivityTenant};
use engine::schema::{OrganizationId, ProjectId};
use engine::sql::{SqlCaller, SqlQuery};
use futures::TryStreamExt;

/// The folder inside `queries/` that holds answers, not questions.
const GOLDEN: &str = "golden";

/// One question of a query set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetQuery {
    /// Name of the set, a folder of `queries/`.
    pub set: String,
    /// Name of the file without its ending; unique within the set.
    pub name: String,
    /// What the user wants to know.
    pub question: String,
    /// The file's text.
    pub sql: String,
}

impl SetQuery {
    /// Where the answer over the sample logs is kept.
    pub fn golden_path(&self) -> PathBuf {
        folder().join(GOLDEN).join(&self.set).join(format!("{}.txt", self.name))
    }

    /// Asks the engine about a project's logs and an organization's whole audit trail, and returns the rows as a table
    /// in text.
    ///
    /// # Errors
    /// What the engine answers when it cannot run the query.
    pub async fn answer(
        &self,
        engine: &Engine,
        project: ProjectId,
        organization: OrganizationId,
    ) -> Result<String> {
        let trail = Some((organization, ActivityFilter::all(ActivityTenant::Organization)));
        let query = SqlQuery::of(&self.sql);
        let answer = engine.run_sql(project, trail, Vec::new(), SqlCaller::default(), query).await?;
        let batches: Vec<_> = answer.into_batches().try_collect().await?;
        Ok(format!("{}\n", pretty_format_batches(&batches)?))
    }
}

fn folder() -> PathBuf {
    // At run time cargo says which checkout it runs; the path of the build may be another one's, when checkouts
    // share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("../queries")
}

/// All queries of all sets, by set and name.
///
/// # Errors
/// When a file cannot be read or lacks one of the header lines.
pub fn read_all() -> Result<Vec<SetQuery>> {
    let mut queries = Vec::new();
    for set in sorted_entries(&folder())? {
        if set.is_dir() && !set.ends_with(GOLDEN) {
            for file in sorted_entries(&set)? {
                queries.push(read(&set, &file).with_context(|| file.display().to_string())?);
            }
        }
    }
    Ok(queries)
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn read(set: &Path, file: &Path) -> Result<SetQuery> {
    let sql = fs::read_to_string(file)?;
    let question = header(&sql, "Question")?;
    header(&sql, "Exercises")?;
    header(&sql, "Shape")?;
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    ensure!(file.extension().is_some_and(|ending| ending == "sql"), "the name must end in .sql");
    Ok(SetQuery { set: text(set.file_name()), name: text(file.file_stem()), question, sql })
}

fn header(sql: &str, name: &str) -> Result<String> {
    let prefix = format!("-- {name}: ");
    let line = sql.lines().find_map(|line| line.strip_prefix(&prefix));
    Ok(line.with_context(|| format!("a header line beginning with {prefix:?} is missing"))?.to_owned())
}
