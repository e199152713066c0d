//! Counting the windows of alerts: few questions for many alerts, and the same numbers as one for each.
//!
//! Alerts on services and severities alone share one question per project and time, which sidecars answer. Those with
//! the same filters share one too.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use engine::Engine;
use engine::query::TimeRange;
use engine::query::model::LogFilter;
use engine::schema::ProjectId;

use super::cells::{Cells, rows_within};
use super::known::Known;
use crate::alerts::machine::Standing;
use crate::alerts::services::ByService;
use crate::alerts::settings::GroupBy;
use crate::alerts::{MINUTE_US, schedule};
use crate::meta::alert::Alert;

/// Most alerts of one question.
const MAX_SHARED: usize = 500;

/// An alert that is to be checked.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// The alert as it was taken.
    pub(super) alert: Alert,
    /// Which rows it counts.
    pub(super) filter: LogFilter,
    /// The end of its newest window.
    pub(super) date_to_us: i64,
    /// Where its services stand that are not as new, when each has a state of its own.
    pub(super) services: BTreeMap<String, Standing>,
}

/// What the windows of an alert hold, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Rows of each window.
    pub(super) counts: Vec<u64>,
    /// Those of each service, when each has a state of its own.
    pub(super) services: Option<ByService>,
    /// How long the question took.
    pub(super) duration: Duration,
}

/// Alerts that are counted together.
#[derive(Clone, Debug)]
pub(super) enum Unit {
    /// Those of one project on services and severities alone, whose windows begin and end with minutes.
    Cells(Vec<Planned>),
    /// Those of one project with the same filters and windows.
    Alike(Vec<Planned>),
}

impl Planned {
    pub(super) fn windows(&self) -> Vec<TimeRange> {
        schedule::windows(&self.alert.settings, self.date_to_us)
    }

    fn is_of_minutes(&self) -> bool {
        self.date_to_us.rem_euclid(MINUTE_US) == 0
    }

    /// Whether each service has a state of its own.
    pub(super) fn is_by_service(&self) -> bool {
        self.alert.settings.group_by == GroupBy::Service
    }

    /// Whether services and severities alone decide which rows it counts.
    fn is_of_cells(&self) -> bool {
        let LogFilter { severity_levels: _, service_names: _, search_term, properties, resource_fingerprint } =
            &self.filter;
        search_term.is_empty() && properties.is_empty() && resource_fingerprint.is_none()
    }
}

impl Unit {
    /// Puts alerts together.
    pub(super) fn of(planned: Vec<Planned>) -> Vec<Self> {
        let mut cells: HashMap<ProjectId, Vec<Planned>> = HashMap::new();
        let mut alike: HashMap<(ProjectId, String, i64, TimeSpan, GroupBy), Vec<Planned>> = HashMap::new();
        for one in planned {
            let project = one.alert.project;
            if one.is_of_minutes() && one.is_of_cells() {
                cells.entry(project).or_default().push(one);
            } else {
                let whole = TimeSpan::of(&one.windows());
                let settings = &one.alert.settings;
                let key = (project, settings.filters.clone(), one.date_to_us, whole, settings.group_by);
                alike.entry(key).or_default().push(one);
            }
        }
        let cells = cells.into_values().flat_map(|all| parts(all).map(Self::Cells).collect::<Vec<_>>());
        let alike = alike.into_values().flat_map(|all| parts(all).map(Self::Alike).collect::<Vec<_>>());
        cells.chain(alike).collect()
    }

    /// Its alerts.
    pub(super) fn planned(&self) -> &[Planned] {
        match self {
            Self::Cells(planned) | Self::Alike(planned) => planned,
        }
    }

    /// Its alerts, each by itself; none when it is one alert already.
    pub(super) fn split(&self) -> Option<Vec<Self>> {
        match self {
            Self::Cells(planned) if planned.len() > 1 => {
                Some(planned.iter().map(|one| Self::Alike(vec![one.clone()])).collect())
            }
            _ => None,
        }
    }

    /// Counts the windows of all its alerts, in their order.
    ///
    /// # Errors
    /// As the engine's questions.
    pub(super) async fn count(&self, engine: &Engine) -> engine::Result<Vec<Counted>> {
        let begun = Instant::now();
        let counts = match self {
            Self::Cells(planned) => count_cells(engine, planned).await?,
            Self::Alike(planned) => match planned.first() {
                Some(first) => vec![count_alike(engine, first).await?; planned.len()],
                None => Vec::new(),
            },
        };
        let known = Known::of(engine, self.planned()).await?;
        let duration = begun.elapsed();
        let counted = self.planned().iter().zip(counts).map(|(planned, counts)| match counts {
            Counts::Together(counts) => Counted { counts, services: None, duration },
            Counts::ByService(counts) => {
                let services = ByService { counts, known: known.to(planned) };
                let counts = services.totals(planned.windows().len());
                Counted { counts, services: Some(services), duration }
            }
        });
        Ok(counted.collect())
    }
}

/// Rows of windows, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Counts {
    Together(Vec<u64>),
    /// Of services that have rows in one of them.
    ByService(BTreeMap<String, Vec<u64>>),
}

fn parts(all: Vec<Planned>) -> impl Iterator<Item = Vec<Planned>> {
    let mut rest = all.into_iter();
    std::iter::from_fn(move || {
        let part: Vec<Planned> = rest.by_ref().take(MAX_SHARED).collect();
        (!part.is_empty()).then_some(part)
    })
}

/// Where windows begin and end, as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TimeSpan {
    start_us: i64,
    num_windows: usize,
    window_us: i64,
}

impl TimeSpan {
    fn of(windows: &[TimeRange]) -> Self {
        Self {
            start_us: windows.last().map_or(0, |window| window.start_us),
            num_windows: windows.len(),
            window_us: windows.first().map_or(0, |window| window.end_us - window.start_us),
        }
    }
}

/// One alert's windows by a question of its own: one over minutes, or one for each window that minutes do not make up.
async fn count_alike(engine: &Engine, planned: &Planned) -> engine::Result<Counts> {
    if planned.is_by_service() {
        return Ok(Counts::ByService(count_services(engine, planned).await?));
    }
    let (project, filter) = (planned.alert.project, &planned.filter);
    let windows = planned.windows();
    if planned.is_of_minutes() {
        let whole = schedule::whole(&planned.alert.settings, planned.date_to_us);
        let minutes = engine.count_every(project, filter, whole, 1).await?;
        let minutes: Vec<(i64, u64)> = minutes.iter().map(|minute| (minute.start_us, minute.count)).collect();
        return Ok(Counts::Together(windows.iter().map(|window| rows_within(&minutes, window)).collect()));
    }
    let mut counts = Vec::with_capacity(windows.len());
    for window in windows {
        counts.push(engine.count_logs(project, filter.clone(), window).await?);
    }
    Ok(Counts::Together(counts))
}

/// The same for each service.
async fn count_services(engine: &Engine, planned: &Planned) -> engine::Result<BTreeMap<String, Vec<u64>>> {
    let (project, filter) = (planned.alert.project, &planned.filter);
    let windows = planned.windows();
    if planned.is_of_minutes() {
        let whole = schedule::whole(&planned.alert.settings, planned.date_to_us);
        let cells = engine.count_cells(project, filter, whole, 1).await?;
        return Ok(Cells::of(&cells).by_service(&LogFilter::default(), &windows));
    }
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (place, window) in windows.iter().enumerate() {
        for cell in engine.count_cells(project, filter, *window, 1).await? {
            counts.entry(cell.service_name).or_insert_with(|| vec![0; windows.len()])[place] += cell.count;
        }
    }
    Ok(counts)
}

/// The windows of alerts on services and severities, by one question.
async fn count_cells(engine: &Engine, planned: &[Planned]) -> engine::Result<Vec<Counts>> {
    let Some(first) = planned.first() else { return Ok(Vec::new()) };
    let wholes = planned.iter().map(|one| schedule::whole(&one.alert.settings, one.date_to_us));
    let (start_us, end_us) = wholes.fold((i64::MAX, i64::MIN), |(start_us, end_us), whole| {
        (start_us.min(whole.start_us), end_us.max(whole.end_us))
    });
    let range = TimeRange { start_us, end_us };
    let cells = engine.count_cells(first.alert.project, &of_all(planned), range, 1).await?;
    let cells = Cells::of(&cells);
    let counts = planned.iter().map(|one| match one.is_by_service() {
        true => Counts::ByService(cells.by_service(&one.filter, &one.windows())),
        false => Counts::Together(cells.together(&one.filter, &one.windows())),
    });
    Ok(counts.collect())
}

/// A filter that every row passes which one of the alerts counts.
fn of_all(planned: &[Planned]) -> LogFilter {
    fn union<'a>(lists: impl Iterator<Item = &'a Vec<String>>) -> Vec<String> {
        let mut all = std::collections::BTreeSet::new();
        for list in lists {
            if list.is_empty() {
                return Vec::new();
            }
            all.extend(list.iter().cloned());
        }
        all.into_iter().collect()
    }
    LogFilter {
        severity_levels: union(planned.iter().map(|one| &one.filter.severity_levels)),
        service_names: union(planned.iter().map(|one| &one.filter.service_names)),
        ..LogFilter::default()
    }
}
