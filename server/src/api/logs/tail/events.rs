//! What a follower is sent: rows, what it was too slow for, signs of life, and why it ends.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use engine::query::model::AttributeMaps;
use engine::tail::{DroppedRows, LogTail, TailEvent};
use futures::Stream;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::row::{Row, RowShape};
use super::subscribers::Place;
use crate::error::ApiError;

/// How long the connection is silent at most: proxies give up silent ones.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A connection on its way.
struct Connection {
    tail: LogTail,
    attributes: AttributeMaps,
    stopping: CancellationToken,
    stage: Stage,
    _place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Following,
    Ended,
}

/// The events of a subscription until it ends, the server stops or the reader goes.
pub(super) fn stream(
    tail: LogTail,
    attributes: AttributeMaps,
    stopping: CancellationToken,
    place: Place,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let connection = Connection { tail, attributes, stopping, stage: Stage::Opening, _place: place };
    futures::stream::unfold(connection, |mut connection| async move {
        let event = connection.next().await?;
        Some((Ok(event), connection))
    })
}

impl Connection {
    async fn next(&mut self) -> Option<Event> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Following;
                Some(opened(&self.tail))
            }
            Stage::Following => Some(self.follow().await),
            Stage::Ended => None,
        }
    }

    async fn follow(&mut self) -> Event {
        let next = tokio::select! {
            biased;
            () = self.stopping.cancelled() => Ok(None),
            next = self.tail.next() => next,
            () = tokio::time::sleep(KEEP_ALIVE_INTERVAL) => return keep_alive(&self.tail),
        };
        match next {
            Ok(Some(TailEvent::Row(row))) => {
                let shape =
                    RowShape { live_logs_checkpoint: None, custom_columns: &[], attributes: self.attributes };
                let id = row.uuid.to_string();
                let text = serde_json::to_string(&Row { row: &row, shape: &shape });
                text.map_or_else(
                    |error| self.failed(ApiError::internal(error)),
                    |text| named("log").id(id).data(text),
                )
            }
            Ok(Some(TailEvent::Dropped(dropped))) => dropped_rows(&dropped),
            Ok(None) => {
                self.stage = Stage::Ended;
                named("end").data(json!({ "reason": "the server stops" }).to_string())
            }
            Err(error) => self.failed(error.into()),
        }
    }

    /// The last event.
    fn failed(&mut self, error: ApiError) -> Event {
        self.stage = Stage::Ended;
        error.log();
        named("error").data(json!({ "detail": error.detail() }).to_string())
    }
}

fn named(name: &str) -> Event {
    Event::default().event(name)
}

fn opened(tail: &LogTail) -> Event {
    let checkpoint = tail.start().to_string();
    let data = json!({ "checkpoint": checkpoint }).to_string();
    named("open").id(checkpoint).data(data)
}

/// It has no id: a client that connects again before the next row gets what was dropped.
fn dropped_rows(dropped: &DroppedRows) -> Event {
    let DroppedRows { num_rows, after, until } = dropped;
    named("dropped").data(json!({ "count": num_rows, "after": after, "until": until }).to_string())
}

/// A comment, which clients do not see, with the newest checkpoint, which they keep.
fn keep_alive(tail: &LogTail) -> Event {
    let event = Event::default().comment("keep-alive");
    match tail.checkpoint() {
        Some(checkpoint) => event.id(checkpoint.to_string()),
        None => event,
    }
}
