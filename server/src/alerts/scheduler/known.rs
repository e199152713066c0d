//! Which services are known to the checks of alerts for each service.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use engine::Engine;
use engine::query::TimeRange;
use engine::query::model::LogFilter;
use engine::schema::ProjectId;

use super::count::Planned;
use crate::alerts::services::known_range;

/// Minutes of a cell: hours, which is what being known goes by.
const CELL_MINUTES: u32 = 60;

/// The services that the project of some alerts had rows of, by the end of the time in question. Alerts that are
/// checked in the same hour share a question.
pub(super) struct Known(BTreeMap<i64, BTreeSet<String>>);

impl Known {
    /// Asks what alerts of one project need to know.
    ///
    /// # Errors
    /// As the engine's questions.
    pub(super) async fn of(engine: &Engine, planned: &[Planned]) -> engine::Result<Self> {
        let mut known = BTreeMap::new();
        for one in planned.iter().filter(|one| needs_to_ask(one)) {
            let range = known_range(one.date_to_us);
            if let Entry::Vacant(unknown) = known.entry(range.end_us) {
                unknown.insert(services(engine, one.alert.project, range).await?);
            }
        }
        Ok(Self(known))
    }

    /// The services that are known to an alert: those that its filters name, or of which there were rows.
    pub(super) fn to(&self, planned: &Planned) -> BTreeSet<String> {
        match planned.filter.service_names.as_slice() {
            [] => self.0.get(&known_range(planned.date_to_us).end_us).cloned().unwrap_or_default(),
            names => names.iter().cloned().collect(),
        }
    }
}

/// Whether it matters which services there were.
fn needs_to_ask(planned: &Planned) -> bool {
    planned.is_by_service()
        && planned.filter.service_names.is_empty()
        && planned.alert.settings.condition().hears_silence()
}

async fn services(engine: &Engine, project: ProjectId, range: TimeRange) -> engine::Result<BTreeSet<String>> {
    let cells = engine.count_cells(project, &LogFilter::default(), range, CELL_MINUTES).await?;
    Ok(cells.into_iter().map(|cell| cell.service_name).collect())
}
