//! The history of each service, as a simulation by service needs it.

use std::collections::BTreeMap;

use engine::Engine;
use engine::query::TimeRange;
use engine::query::model::LogFilter;
use engine::schema::ProjectId;

use crate::alerts::grouped_simulation::ServiceHistory;
use crate::alerts::services::known_range;
use crate::alerts::simulation::Simulation;
use crate::alerts::{HOUR_US, MINUTE_US};

const MINUTES_PER_HOUR: u32 = 60;
const MINUTES_PER_DAY: u32 = 24 * MINUTES_PER_HOUR;

/// What a simulation needs to know of each service. Costs a question for each day, and as many again where silence is
/// heard.
///
/// # Errors
/// As the engine's questions.
pub(super) async fn of_services(
    engine: &Engine,
    project: ProjectId,
    filter: &LogFilter,
    simulation: &Simulation,
) -> engine::Result<BTreeMap<String, ServiceHistory>> {
    let mut histories: BTreeMap<String, ServiceHistory> = BTreeMap::new();
    let (start_us, end_us) = simulation.counted_range();
    let counted = TimeRange { start_us, end_us };
    for (service, cells) in cells(engine, project, filter, counted, simulation.cell_minutes()).await? {
        histories.entry(service).or_default().cells = cells;
    }
    if simulation.condition.hears_silence() && filter.service_names.is_empty() {
        let first_us = start_us + i64::from(simulation.window_minutes) * MINUTE_US;
        let known =
            TimeRange { start_us: known_range(first_us).start_us, end_us: known_range(end_us).end_us };
        let all = LogFilter::default();
        for (service, hours) in cells_of_hours(engine, project, &all, known).await? {
            histories.entry(service).or_default().hours = hours;
        }
    }
    Ok(histories)
}

async fn cells_of_hours(
    engine: &Engine,
    project: ProjectId,
    filter: &LogFilter,
    range: TimeRange,
) -> engine::Result<BTreeMap<String, Vec<i64>>> {
    debug_assert!(range.start_us.rem_euclid(HOUR_US) == 0, "known ranges are whole hours");
    let cells = cells(engine, project, filter, range, MINUTES_PER_HOUR).await?;
    let hours = |cells: Vec<(i64, u64)>| cells.into_iter().map(|(start_us, _)| start_us).collect();
    Ok(cells.into_iter().map(|(service, cells)| (service, hours(cells))).collect())
}

/// Rows of each service by the beginnings of cells of so many minutes, in order. Asked a day at a time, so that many
/// services are not too many cells for one answer.
async fn cells(
    engine: &Engine,
    project: ProjectId,
    filter: &LogFilter,
    range: TimeRange,
    minutes: u32,
) -> engine::Result<BTreeMap<String, Vec<(i64, u64)>>> {
    let part_us = i64::from(MINUTES_PER_DAY / minutes * minutes) * MINUTE_US;
    let mut services: BTreeMap<String, Vec<(i64, u64)>> = BTreeMap::new();
    let mut start_us = range.start_us;
    while start_us < range.end_us {
        let part = TimeRange { start_us, end_us: range.end_us.min(start_us + part_us) };
        for cell in engine.count_cells(project, filter, part, minutes).await? {
            let cells = services.entry(cell.service_name).or_default();
            match cells.last_mut() {
                Some((last_us, count)) if *last_us == cell.start_us => *count += cell.count,
                _ => cells.push((cell.start_us, cell.count)),
            }
        }
        start_us = part.end_us;
    }
    Ok(services)
}
