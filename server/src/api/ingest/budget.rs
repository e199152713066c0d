//! The memory that all ingest requests under way may hold together.
//!
//! Bytes are reserved before they are read, and again before they are decompressed, so that neither many
//! requests nor one that grows can take more than the budget. A reservation never waits: a request that finds
//! the budget spent is told to come back, and holds nothing meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The budget; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct IngestBudget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit_bytes: usize,
    reserved_bytes: AtomicUsize,
}

/// The budget is spent for the moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BudgetSpent;

/// The share of one request; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    account: Arc<Account>,
    bytes: usize,
}

impl IngestBudget {
    /// Makes a budget of `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self(Arc::new(Account { limit_bytes, reserved_bytes: AtomicUsize::new(0) }))
    }

    /// A reservation of nothing yet.
    pub(super) fn reservation(&self) -> Reservation {
        Reservation { account: Arc::clone(&self.0), bytes: 0 }
    }
}

impl Reservation {
    /// Reserves more bytes.
    ///
    /// # Errors
    /// [`BudgetSpent`] when other requests hold too much; nothing more is reserved then.
    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), BudgetSpent> {
        let limit = self.account.limit_bytes;
        let within_limit = |reserved: usize| reserved.checked_add(bytes).filter(|total| *total <= limit);
        let reserved = &self.account.reserved_bytes;
        match reserved.fetch_update(Ordering::AcqRel, Ordering::Acquire, within_limit) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(_) => Err(BudgetSpent),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.account.reserved_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_can_be_reserved_again() {
        let budget = IngestBudget::new(10);
        let mut one = budget.reservation();
        let mut two = budget.reservation();
        assert_eq!(one.grow(6), Ok(()));
        assert_eq!(two.grow(5), Err(BudgetSpent));
        assert_eq!(two.grow(4), Ok(()));
        assert_eq!(one.grow(1), Err(BudgetSpent));
        assert_eq!(one.grow(usize::MAX), Err(BudgetSpent));
        drop(two);
        assert_eq!(one.grow(4), Ok(()));
        drop(one);
        assert_eq!(budget.reservation().grow(10), Ok(()));
    }
}
