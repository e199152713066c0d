//! Questions about attribute keys and values.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::Expr;
use futures::{StreamExt, stream};

use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::cell_filter::CellFilter;
use super::cells::NUM_LOADS;
use super::rest::Rest;
use crate::catalog::Sources;
use crate::index::AttributeValues;
use crate::storage::DataFile;

/// Which of a file's rows are meant.
enum Meant {
    All,
    None,
    Some,
}

/// Gives `take` what the sidecars know of the files all of whose rows are meant, and returns the rows that are left.
/// `take` says whether that was enough; if not, it has taken nothing.
///
/// A file of which the range cuts off less than half of its time is taken too; what is cut off is the surplus of the
/// rest.
pub(in crate::query) async fn answer_from_keys(
    session: &QuerySession,
    condition: &Expr,
    range: TimeRange,
    mut take: impl FnMut(&AttributeValues) -> Result<bool>,
) -> Result<Rest> {
    let Some(filter) = CellFilter::of(&session.session, condition)? else {
        return Ok(Rest::everything(range));
    };
    let (live, others) = session.sources_in(range);
    let mut rest = Rest::of(range, Sources { files: others.files, segments: others.segments });
    rest.add_segments(live.segments);
    let (asked, cut) = live.files.into_iter().partition::<Vec<_>, _>(|file| {
        file.sidecar_bytes > 0
            && cut_off(file, range).iter().map(width_us).sum::<i64>() < file_width_us(file) / 2
    });
    cut.into_iter().for_each(|file| rest.add_whole(file));
    let (sidecars, cost) = (session.sidecars.clone(), Arc::clone(&session.cost));
    let mut answers = stream::iter(asked.into_iter().map(move |file| {
        let (sidecars, cost, filter) = (sidecars.clone(), Arc::clone(&cost), filter.clone());
        async move {
            let meant = match filter.is_always() {
                true => Ok(Meant::All),
                false => match sidecars.rollup(&file, &cost).await {
                    Some(rollup) => filter.test(rollup.series()).map(|series| Meant::of(&series)),
                    None => Ok(Meant::Some),
                },
            };
            let values = match meant {
                Ok(Meant::All) => sidecars.attribute_values(&file, &cost).await,
                _ => None,
            };
            (file, meant, values)
        }
    }))
    .buffered(NUM_LOADS);
    while let Some((file, meant, values)) = answers.next().await {
        let (is_answered, is_taken) = match (meant?, values) {
            (Meant::None, _) => (true, false),
            (Meant::All, Some(values)) => {
                let is_taken = take(&values)?;
                (is_taken, is_taken)
            }
            (Meant::All | Meant::Some, _) => (false, false),
        };
        if is_answered {
            session.cost.add_sidecar(file.id);
            let surplus = cut_off(&file, range);
            if !surplus.is_empty() && is_taken {
                rest.add_surplus(file, surplus);
            }
        } else {
            rest.add_whole(file);
        }
    }
    Ok(rest)
}

/// The stretches of a file's time that are outside of a range, earliest first.
fn cut_off(file: &DataFile, range: TimeRange) -> Vec<TimeRange> {
    let end_us = file.max_timestamp_us.saturating_add(1);
    let before = TimeRange { start_us: file.min_timestamp_us, end_us: range.start_us.min(end_us) };
    let after = TimeRange { start_us: range.end_us.max(file.min_timestamp_us), end_us };
    [before, after].into_iter().filter(|stretch| !stretch.is_empty()).collect()
}

fn width_us(range: &TimeRange) -> i64 {
    range.end_us.saturating_sub(range.start_us)
}

fn file_width_us(file: &DataFile) -> i64 {
    file.max_timestamp_us.saturating_sub(file.min_timestamp_us).saturating_add(2)
}

impl Meant {
    /// Of whether each series of a rollup is; every series has rows.
    fn of(series: &[bool]) -> Self {
        match (series.contains(&true), series.contains(&false)) {
            (true, true) => Self::Some,
            (true, false) => Self::All,
            (false, _) => Self::None,
        }
    }
}
