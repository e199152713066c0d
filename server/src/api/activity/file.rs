//! The file of an export: made part by part, with all that its creator may read then.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use engine::Engine;
use engine::activity::StoredEntry;
use engine::query::{ActivityCursor, ActivityOrder, ActivityQuery};
use engine::schema::OrganizationId;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::access::Reader;
use super::export::{Asked, Format, asked};
use super::request;
use super::values::Values;
use super::workbook::Workbook;
use super::{entry, flat};
use crate::api::logs::export::csv::{Formulas, write_record};
use crate::error::ApiError;
use crate::meta::export_asset::{ExportAsset, ExportOwner};
use crate::meta::user::BasicUser;
use crate::meta::{Level, Meta};

/// Entries that are read at a time.
const PART_ENTRIES: usize = 5_000;
/// What the file says when there are no entries.
const NO_ENTRIES: [&str; 2] = ["error", "No activity matches the filters."];

/// What an export is made with.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) meta: &'a Meta,
    pub(crate) asset: &'a ExportAsset,
    /// Where the file is to be.
    pub(crate) path: PathBuf,
    pub(crate) max_file_bytes: u64,
    pub(crate) stop: &'a CancellationToken,
}

/// Why a file is not there.
#[derive(Debug)]
pub(crate) enum Unmade {
    /// The server stops.
    Stopped,
    /// The request cannot be met.
    Refused(String),
    /// It may be made later.
    Failed(String),
}

/// Makes the file; its size.
pub(crate) async fn make(making: Making<'_>) -> Result<u64, Unmade> {
    let body: Value = serde_json::from_str(&making.asset.request).map_err(|error| failed(&error))?;
    let asked = asked(&body).map_err(refused)?;
    let reader = reader(&making).await?;
    let mut query = query(&making, &asked, &reader).await?;
    let organization = reader.organization;
    let path = making.path.clone();
    let mut file = on_disk(move || EntryFile::create(&path, asked.format)).await?;
    loop {
        if making.stop.is_cancelled() {
            return Err(Unmade::Stopped);
        }
        let page = making.engine.activity_page(organization, &query).await.map_err(|error| failed(&error))?;
        let users = entry::users_of(making.meta, &page.entries).await.map_err(|error| failed(&error))?;
        let last = page
            .entries
            .last()
            .map(|last| ActivityCursor { timestamp_us: last.entry.timestamp_us, id: last.entry.id });
        file = on_disk(move || file.write(organization, &page.entries, &users).map(|()| file)).await?;
        if file.num_bytes() > making.max_file_bytes {
            let limit = making.max_file_bytes;
            return Err(Unmade::Refused(format!(
                "the file would be larger than {limit} bytes: ask for less"
            )));
        }
        if !page.has_more {
            break;
        }
        query.after = last;
    }
    on_disk(move || file.finish()).await
}

/// What the creator may read now.
async fn reader(making: &Making<'_>) -> Result<Reader, Unmade> {
    let gone = || Unmade::Refused("whoever asked for the export may not read it any more".to_owned());
    let user_id = making.asset.created_by.ok_or_else(gone)?;
    let (meta, fail) = (making.meta, |error: crate::meta::MetaError| failed(&error));
    let user = meta.user(user_id).await.map_err(fail)?.filter(|user| user.is_active).ok_or_else(gone)?;
    let level = |organization: String| async move {
        meta.membership_level(&organization, user_id).await.map_err(fail)?.ok_or_else(gone)
    };
    match &making.asset.owner {
        ExportOwner::Project(id) => {
            let project = meta.project(*id).await.map_err(fail)?.ok_or_else(gone)?;
            level(project.organization_id.clone()).await?;
            Reader::of_project(&project, user.is_staff).map_err(refused)
        }
        ExportOwner::Organization(id) => match level(id.clone()).await? {
            level if level >= Level::ADMIN => Reader::of_organization(id, user.is_staff).map_err(refused),
            _ => Err(gone()),
        },
    }
}

/// The first part of what is asked for, newest first; nothing that was done after the export was asked for.
async fn query(making: &Making<'_>, asked: &Asked, reader: &Reader) -> Result<ActivityQuery, Unmade> {
    let values = Values::Body(&asked.filters);
    let mut filter = request::filter(&values, reader, making.meta).await.map_err(refused)?;
    let until_us =
        filter.until_us.map_or(making.asset.created_us, |until| until.min(making.asset.created_us));
    filter.until_us = Some(until_us);
    let order = match values.text("ordering").map_err(refused)?.as_deref() {
        Some("created_at") => ActivityOrder::Earliest,
        _ => ActivityOrder::Latest,
    };
    Ok(ActivityQuery { filter, order, after: None, offset: 0, limit: PART_ENTRIES })
}

fn refused(error: ApiError) -> Unmade {
    if error.status().is_client_error() {
        Unmade::Refused(error.detail().to_owned())
    } else {
        Unmade::Failed(error.to_string())
    }
}

fn failed(error: &dyn std::fmt::Display) -> Unmade {
    Unmade::Failed(error.to_string())
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Unmade> {
    match spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Unmade::Failed(format!("the file cannot be written: {error}"))),
        Err(error) => Err(failed(&error)),
    }
}

/// A file while it is written: beside its place until it is whole.
struct EntryFile {
    path: PathBuf,
    part: PathBuf,
    form: Form,
    num_rows: u64,
}

enum Form {
    Csv(TextFile),
    Ndjson(TextFile),
    Xlsx(Box<Workbook>),
}

struct TextFile {
    out: BufWriter<File>,
    num_bytes: u64,
}

impl TextFile {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { out: BufWriter::new(File::create(path)?), num_bytes: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.num_bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl EntryFile {
    fn create(path: &Path, format: Format) -> io::Result<Self> {
        let part = path.with_extension("part");
        let form = match format {
            Format::Csv => Form::Csv(TextFile::create(&part)?),
            Format::Ndjson => Form::Ndjson(TextFile::create(&part)?),
            Format::Xlsx => Form::Xlsx(Box::new(Workbook::create(&part)?)),
        };
        Ok(Self { path: path.to_owned(), part, form, num_rows: 0 })
    }

    fn num_bytes(&self) -> u64 {
        match &self.form {
            Form::Csv(file) | Form::Ndjson(file) => file.num_bytes,
            Form::Xlsx(workbook) => workbook.num_bytes(),
        }
    }

    fn write(
        &mut self,
        organization: OrganizationId,
        entries: &[StoredEntry],
        users: &HashMap<i64, BasicUser>,
    ) -> io::Result<()> {
        let is_first = self.num_rows == 0;
        self.num_rows += entries.len() as u64;
        match &mut self.form {
            Form::Csv(file) => {
                let mut out = Vec::new();
                if is_first && !entries.is_empty() {
                    write_record(&mut out, flat::COLUMNS.iter(), Formulas::Verbatim);
                }
                for stored in entries {
                    write_record(
                        &mut out,
                        flat::cells(organization, stored, users).iter(),
                        Formulas::Escaped,
                    );
                }
                file.append(&out)
            }
            Form::Ndjson(file) => {
                let mut out = Vec::new();
                for stored in entries {
                    serde_json::to_writer(&mut out, &entry::written(organization, stored, users))?;
                    out.push(b'\n');
                }
                file.append(&out)
            }
            Form::Xlsx(workbook) => {
                entries.iter().try_for_each(|stored| workbook.add(&flat::cells(organization, stored, users)))
            }
        }
    }

    /// Puts the file in its place, durably; its size.
    fn finish(self) -> io::Result<u64> {
        match self.form {
            Form::Csv(mut file) => {
                if self.num_rows == 0 {
                    let mut out = Vec::new();
                    NO_ENTRIES
                        .iter()
                        .for_each(|line| write_record(&mut out, std::iter::once(line), Formulas::Verbatim));
                    file.append(&out)?;
                }
                file.finish()?;
            }
            Form::Ndjson(file) => file.finish()?,
            Form::Xlsx(workbook) => workbook.finish(NO_ENTRIES)?,
        }
        let num_bytes = std::fs::metadata(&self.part)?.len();
        std::fs::rename(&self.part, &self.path)?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(num_bytes)
    }
}
