//! The tokens of a rate limit.

/// A rate and how much may come at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Records, or bytes, per second.
    pub per_second: f64,
    /// As much may come at once after a while without any.
    pub burst: f64,
    /// What is limited: the uncompressed size of records if true, else their number.
    pub counts_bytes: bool,
}

/// The tokens that are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenBucket {
    tokens: f64,
    filled_us: i64,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn full(limit: &RateLimit, now_us: i64) -> Self {
        Self { tokens: limit.burst, filled_us: now_us }
    }

    /// Fills up for the time that has gone by; a clock that goes back fills nothing.
    pub(super) fn fill(&mut self, limit: &RateLimit, now_us: i64) {
        if now_us > self.filled_us {
            let seconds = (now_us - self.filled_us) as f64 / 1e6;
            self.tokens = (self.tokens + seconds * limit.per_second).min(limit.burst);
            self.filled_us = now_us;
        }
    }

    /// Whether a record of this cost may pass; then its tokens are gone. One that costs more than the whole bucket
    /// passes when the bucket is full, and those after it wait longer.
    pub(super) fn take(&mut self, limit: &RateLimit, cost: f64) -> bool {
        let passes = self.tokens >= cost.min(limit.burst);
        if passes {
            self.tokens -= cost;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_with_time_up_to_the_burst() {
        let limit = RateLimit { per_second: 2.0, burst: 3.0, counts_bytes: false };
        let mut bucket = TokenBucket::full(&limit, 0);
        let mut passed = |now_us: i64| {
            bucket.fill(&limit, now_us);
            (0..10).filter(|_| bucket.take(&limit, 1.0)).count()
        };
        assert_eq!(
            [passed(0), passed(0), passed(500_000), passed(400_000), passed(2_000_000)],
            [3, 0, 1, 0, 3]
        );
        assert_eq!(passed(i64::MAX), 3);
    }

    #[test]
    fn a_record_larger_than_the_bucket_passes_a_full_one_and_is_paid_for() {
        let limit = RateLimit { per_second: 10.0, burst: 10.0, counts_bytes: true };
        let mut bucket = TokenBucket::full(&limit, 0);
        assert!(bucket.take(&limit, 25.0));
        bucket.fill(&limit, 1_500_000);
        assert!(!bucket.take(&limit, 1.0));
        bucket.fill(&limit, 1_600_000);
        assert!(bucket.take(&limit, 1.0));
    }
}
