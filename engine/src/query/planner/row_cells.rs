//! Questions about time, services and severities, answered from rows.

use std::collections::HashMap;

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
        let mut totals: HashMap<(i64, usize, usize), (u64, u64)> = HashMap::new();
        for (row, us) in times.values().iter().enumerate() {
            let service = if tells_services { place(&services, row)? } else { 0 };
            let severity = if tells_severities { place(&severities, row)? } else { 0 };
            let bucket_us = self.bucket_us(*us);
            let total = totals.entry((bucket_us, service, severity)).or_default();
            total.0 += 1;
            total.1 += u64::from(bytes.value(row));
        }
        for ((bucket_us, service, severity), (num_rows, bytes_uncompressed)) in totals {
            let service = if tells_services { services.text(service) } else { "" };
            let severity = if tells_severities { severities.text(severity) } else { "" };
            take(&CellTotal { bucket_us, service, severity, num_rows, bytes_uncompressed })?;
        }
        Ok(())
    }
}
