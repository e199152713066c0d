//! Who wants to know when rows of a table have become visible.

use parking_lot::Mutex;
use std::collections::HashMap;

use tokio::sync::watch;

use crate::schema::TableId;

/// A signal per table that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct CommitSignals {
    by_table: Mutex<HashMap<TableId, watch::Sender<()>>>,
}

impl CommitSignals {
    /// A receiver that changes after each commit of rows of a table. Commits between two looks are one change.
    pub(crate) fn subscribe(&self, table: TableId) -> watch::Receiver<()> {
        self.by_table.lock().entry(table).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Rows of a table have become visible.
    pub(super) fn notify(&self, table: TableId) {
        let mut by_table = self.by_table.lock();
        if by_table.get(&table).is_some_and(|signal| signal.send(()).is_err()) {
            // Nobody waits any more.
            by_table.remove(&table);
        }
    }
}
