//! How many statements run at a time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::schema::TableId;

/// Places for statements: so many in all, and so many of one table, that no project takes them all.
#[derive(Debug)]
pub(crate) struct Lanes {
    all: Arc<Semaphore>,
    of_table: Mutex<HashMap<TableId, Arc<Semaphore>>>,
    max_of_table: usize,
}

/// A place, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    _of_table: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Lanes {
    /// At least one place.
    pub(super) fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        // One place is left to the others, where there are several.
        let max_of_table = max.saturating_sub(1).max(1);
        Self { all: Arc::new(Semaphore::new(max)), of_table: Mutex::default(), max_of_table }
    }

    /// Waits for a place until `wait_until`.
    ///
    /// # Errors
    /// `Unavailable` when there is none until then.
    pub(super) async fn enter(&self, table: TableId, wait_until: Instant) -> Result<Lane> {
        let of_table = self.of_table(table);
        let both = async {
            // First the narrow one: who waits there holds up nobody else.
            let _of_table = of_table.acquire_owned().await;
            let _of_all = Arc::clone(&self.all).acquire_owned().await;
            Ok::<_, tokio::sync::AcquireError>(Lane { _of_table: _of_table?, _of_all: _of_all? })
        };
        let entered = timeout_at(wait_until, both).await;
        let full = || Error::unavailable("as many SQL statements run as may at a time");
        entered.map_err(|_elapsed| full())?.map_err(|closed| full().with_source(closed))
    }

    /// Forgets tables of which no statement runs or waits.
    fn of_table(&self, table: TableId) -> Arc<Semaphore> {
        let mut tables = self.of_table.lock();
        let max = self.max_of_table;
        tables.retain(|other, places| {
            *other == table || Arc::strong_count(places) > 1 || places.available_permits() < max
        });
        Arc::clone(tables.entry(table).or_insert_with(|| Arc::new(Semaphore::new(max))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schema::ProjectId;

    #[tokio::test]
    async fn a_project_leaves_a_place_to_the_others() {
        let lanes = Lanes::new(3);
        let (ours, theirs) = (TableId::logs(ProjectId(1)), TableId::logs(ProjectId(2)));
        let now = Instant::now;
        let first = lanes.enter(ours, now()).await.unwrap();
        let _second = lanes.enter(ours, now()).await.unwrap();
        assert!(lanes.enter(ours, now()).await.is_err());
        let third = lanes.enter(theirs, now()).await.unwrap();
        assert!(lanes.enter(theirs, now()).await.is_err(), "all places are taken");
        drop(first);
        let until = now() + Duration::from_secs(60);
        let _again = lanes.enter(ours, until).await.unwrap();
        drop(third);
        assert!(lanes.enter(theirs, until).await.is_ok());
        assert!(lanes.of_table.lock().len() <= 2);
    }
}
