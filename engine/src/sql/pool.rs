//! The memory of SQL: a share of that of all queries.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// Takes from another pool, and at most so much: what is left of it is for everybody else.
#[derive(Debug)]
pub(super) struct SharePool {
    whole: Arc<dyn MemoryPool>,
    max_bytes: usize,
    used: AtomicUsize,
}

impl SharePool {
    pub(super) fn new(whole: Arc<dyn MemoryPool>, max_bytes: usize) -> Self {
        Self { whole, max_bytes, used: AtomicUsize::new(0) }
    }
}

impl fmt::Display for SharePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share(used: {}, max: {}) of {}", self.reserved(), self.max_bytes, self.whole)
    }
}

impl MemoryPool for SharePool {
    fn name(&self) -> &str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.whole.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.whole.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.used.fetch_add(additional, Ordering::Relaxed);
        self.whole.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.whole.shrink(reservation, shrink);
        self.used.fetch_sub(shrink, Ordering::Relaxed);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let grown = |used: usize| used.checked_add(additional).filter(|used| *used <= self.max_bytes);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_err() {
            let message = format!("{additional} more bytes of SQL's share of {} bytes", self.max_bytes);
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        self.whole.try_grow(reservation, additional).inspect_err(|_| {
            self.used.fetch_sub(additional, Ordering::Relaxed);
        })
    }

    fn reserved(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn a_share_is_never_more_than_it_may_be_nor_than_there_is() {
        let whole: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100));
        let share: Arc<dyn MemoryPool> = Arc::new(SharePool::new(Arc::clone(&whole), 60));
        let ours = MemoryConsumer::new("ours").register(&share);
        let others = MemoryConsumer::new("others").register(&whole);
        ours.try_grow(60).unwrap();
        assert!(ours.try_grow(1).is_err(), "over the share");
        others.try_grow(40).unwrap();
        ours.shrink(30);
        others.try_grow(30).unwrap();
        assert!(ours.try_grow(10).is_err(), "over the whole");
        assert_eq!((share.reserved(), whole.reserved()), (30, 100));
        drop((ours, others));
        assert_eq!((share.reserved(), whole.reserved()), (0, 0));
    }
}
