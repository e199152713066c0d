//! Questions about time, services and severities, answered from rows.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{TimestampMicrosecondType, UInt32Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::prelude::ident;

use super::super::session::QuerySession;
use super::super::texts::Texts;
use super::cells::{CellQuestion, CellTotal, GroupBy};
use super::rest::Rest;
use crate::schema::columns;

/// What is read of a row, in this order.
const READ: [&str; 4] =
    [columns::TIMESTAMP, columns::SERVICE_NAME, columns::SEVERITY_TEXT, columns::BYTES_UNCOMPRESSED];

impl Rest {
    /// Gives `take` the rows that are left of a question, added up as far as they were read together: a bucket and group
    /// may come several times.
    pub(in crate::query) async fn visit_cells(
        &self,
        session: &QuerySession,
        question: &CellQuestion<'_>,
        mut take: impl FnMut(&CellTotal<'_>) -> Result<()>,
    ) -> Result<()> {
        let read = READ.map(ident);
        let visited = self.visit_values(session, question.condition, &read, |columns| {
            question.take_rows(columns, &mut take)
        });
        visited.await
    }
}

impl CellQuestion<'_> {
    fn take_rows(
        &self,
        columns: &[ArrayRef],
        take: &mut impl FnMut(&CellTotal<'_>) -> Result<()>,
    ) -> Result<()> {
        let wrong = || internal_datafusion_err!("rows have columns of other types");
        let [times, services, severities, bytes] = columns else { return Err(wrong()) };
        let times = times.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(wrong)?;
        let bytes = bytes.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        let (services, severities) = (Texts::of(services)?, Texts::of(severities)?);
        let tells_services = matches!(self.group_by, GroupBy::Service | GroupBy::ServiceAndSeverity);
        let tells_severities = matches!(self.group_by, GroupBy::Severity | GroupBy::ServiceAndSeverity);
        let place = |texts: &Texts, row| texts.place(row).ok_or_else(wrong);
        let num_severities = if tells_severities { severities.num_places() } else { 1 };
        let mut hand_over = |bucket_us, group: usize, (num_rows, bytes_uncompressed): Total| {
            let service = if tells_services { services.text(group / num_severities) } else { "" };
            let severity = if tells_severities { severities.text(group % num_severities) } else { "" };
            take(&CellTotal { bucket_us, service, severity, num_rows, bytes_uncompressed })
        };
        let mut totals = BucketTotals::default();
        for (row, us) in times.values().iter().enumerate() {
            let service = if tells_services { place(&services, row)? } else { 0 };
            let severity = if tells_severities { place(&severities, row)? } else { 0 };
            let (bucket_us, group) = (self.bucket_us(*us), service * num_severities + severity);
            if bucket_us != totals.bucket_us {
                totals.hand_over(&mut hand_over)?;
                totals.bucket_us = bucket_us;
            }
            match group < MAX_GROUPS {
                true => totals.add(group, bytes.value(row)),
                false => hand_over(bucket_us, group, (1, bytes.value(row).into()))?,
            }
        }
        totals.hand_over(&mut hand_over)
    }
}

/// Groups that are counted apart; rows of others are handed over one by one.
const MAX_GROUPS: usize = 1 << 12;

/// Rows with their bytes.
type Total = (u64, u64);

/// The rows of one bucket, by the number of their group. Rows that were written together are few buckets wide, and those
/// of one service and host are in the order of time, so that a bucket is left seldom; one that comes again is handed
/// over again.
#[derive(Default)]
struct BucketTotals {
    bucket_us: i64,
    by_group: Vec<Total>,
    /// The groups that have rows.
    groups: Vec<usize>,
}

impl BucketTotals {
    fn add(&mut self, group: usize, num_bytes: u32) {
        if group >= self.by_group.len() {
            self.by_group.resize(group + 1, (0, 0));
        }
        let total = &mut self.by_group[group];
        if total.0 == 0 {
            self.groups.push(group);
        }
        total.0 += 1;
        total.1 += u64::from(num_bytes);
    }

    /// Gives what there is to `take`, and begins anew.
    fn hand_over(&mut self, mut take: impl FnMut(i64, usize, Total) -> Result<()>) -> Result<()> {
        for group in self.groups.drain(..) {
            take(self.bucket_us, group, std::mem::take(&mut self.by_group[group]))?;
        }
        Ok(())
    }
}
