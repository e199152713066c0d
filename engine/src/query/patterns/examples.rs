//! The rows that are shown of each template.

use std::collections::HashMap;

use arrow::array::{AsArray, FixedSizeBinaryArray, StringViewArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::prelude::ident;
use uuid::Uuid;

use super::super::filter::in_range;
use super::super::model::Cursor;
use super::super::rows::{bytes, column, id_literal, range_of};
use super::super::session::QuerySession;
use super::function::body_beginning;
use super::summary::PatternExample;
use crate::schema::columns;

const BODY: &str = "beginning";

/// The rows with these keys, by id.
pub(super) async fn read_examples(
    session: &QuerySession,
    keys: &[Cursor],
) -> Result<HashMap<Uuid, PatternExample>> {
    let Some(range) = range_of(keys) else { return Ok(HashMap::new()) };
    let ids = keys.iter().map(|key| id_literal(key.uuid)).collect();
    let condition = in_range(range).and(ident(columns::UUID).in_list(ids, false));
    let names = [columns::UUID, columns::TIMESTAMP, columns::SEVERITY_TEXT, columns::SERVICE_NAME].map(ident);
    let body = body_beginning(ident(columns::BODY)).alias(BODY);
    let found =
        session.collect(session.rows_where(condition)?.select(names.into_iter().chain([body]))?).await?;
    let mut examples = HashMap::with_capacity(keys.len());
    for batch in &found.batches {
        let ids: &FixedSizeBinaryArray = column(batch, columns::UUID)?;
        let timestamps: &TimestampMicrosecondArray = column(batch, columns::TIMESTAMP)?;
        let severities = cast(batch.column(2), &DataType::Utf8)?;
        let services = cast(batch.column(3), &DataType::Utf8)?;
        let bodies: &StringViewArray = column(batch, BODY)?;
        for row in 0..batch.num_rows() {
            let example = PatternExample {
                body: bodies.value(row).to_owned(),
                severity_text: severities.as_string::<i32>().value(row).to_owned(),
                service_name: services.as_string::<i32>().value(row).to_owned(),
                timestamp_us: timestamps.value(row),
            };
            examples.insert(Uuid::from_bytes(bytes(ids, row)), example);
        }
    }
    if keys.iter().any(|key| !examples.contains_key(&key.uuid)) {
        return internal_err!("an example was found and could not be read");
    }
    Ok(examples)
}
