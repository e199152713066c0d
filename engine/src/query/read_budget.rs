//! How many bytes one question may ask of the storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// What the scans of one question have read of data files, and how much they may.
#[derive(Debug)]
pub(super) struct ReadBudget {
    taken: AtomicU64,
    max_bytes: Option<u64>,
    /// What the asker's questions have read together.
    read: Arc<AtomicU64>,
}

impl ReadBudget {
    /// A budget of `max_bytes`, or none; all that is read is added to `read`.
    pub(super) fn new(max_bytes: Option<u64>, read: Arc<AtomicU64>) -> Self {
        Self { taken: AtomicU64::new(0), max_bytes, read }
    }

    /// Asks for bytes before they are read.
    ///
    /// # Errors
    /// `LimitExceeded` when they are more than is left.
    pub(super) fn take(&self, num_bytes: u64) -> Result<()> {
        let taken = self.taken.fetch_add(num_bytes, Ordering::Relaxed).saturating_add(num_bytes);
        match self.max_bytes {
            Some(max_bytes) if taken > max_bytes => Err(Error::new(
                ErrorKind::LimitExceeded,
                format!(
                    "the query is too large: it would read more than {max_bytes} bytes; narrow its time range or its filter"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Tells what was read.
    pub(super) fn add_read(&self, num_bytes: u64) {
        self.read.fetch_add(num_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_the_budget_is_refused_before_it_is_read() {
        let read = Arc::new(AtomicU64::new(7));
        let budget = ReadBudget::new(Some(10), Arc::clone(&read));
        budget.take(4).unwrap();
        budget.take(6).unwrap();
        budget.add_read(10);
        assert_eq!(read.load(Ordering::Relaxed), 17);
        let error = budget.take(1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(error.message().contains("more than 10 bytes"), "{error}");
        let unbounded = ReadBudget::new(None, read);
        unbounded.take(u64::MAX).unwrap();
        unbounded.take(u64::MAX).unwrap();
    }
}
