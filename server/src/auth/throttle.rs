//! How often a log-in may be tried: failures are counted by address and by account.
//!
//! Both counts are needed: one address may try many accounts, and many addresses one account. What succeeds takes back
//! its own count, so that people behind one proxy do not lock each other out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use parking_lot::Mutex;

use crate::secret;

const US_PER_SECOND: i64 = 1_000_000;
/// Seconds in which failures are counted together.
const WINDOW_SECS: i64 = 300;
/// Failures of one account in that time.
const MAX_OF_ACCOUNT: u32 = 10;
/// Failures from one address in that time.
const MAX_OF_ADDRESS: u32 = 50;
/// From so many counts on, those whose time is over are forgotten; then the oldest.
const MAX_COUNTS: usize = 20_000;

/// Counts of failed log-ins.
#[derive(Debug, Default)]
pub(crate) struct LoginThrottle {
    counts: Mutex<HashMap<Subject, Count>>,
}

/// A log-in under way, counted as a failure until it has succeeded.
#[derive(Debug)]
pub(crate) struct Attempt {
    subjects: [(Subject, u32); 2],
}

/// What is counted. Accounts are kept as hashes, so that a long name costs no more than a short one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    Account(String),
    Address(Option<IpAddr>),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    began_us: i64,
    num_failures: u32,
}

impl LoginThrottle {
    /// Counts a log-in that is tried. An account is its lower-case e-mail address, whether it exists or not.
    ///
    /// # Errors
    /// The seconds until it may be tried again; it is not counted then.
    pub(crate) fn begin(&self, account: &str, address: Option<IpAddr>, now_us: i64) -> Result<Attempt, u32> {
        let subjects = [
            (Subject::Account(secret::hash(&account.trim().to_lowercase())), MAX_OF_ACCOUNT),
            (Subject::Address(address.map(network)), MAX_OF_ADDRESS),
        ];
        let mut counts = self.counts.lock();
        make_room(&mut counts, now_us);
        let wait_us = subjects.iter().filter_map(|(subject, max)| {
            let count = counts.get(subject).filter(|count| count.is_running(now_us))?;
            (count.num_failures >= *max).then(|| count.end_us() - now_us)
        });
        if let Some(wait_us) = wait_us.max() {
            return Err(u32::try_from((wait_us + US_PER_SECOND - 1) / US_PER_SECOND).unwrap_or(u32::MAX));
        }
        for (subject, _) in &subjects {
            let count = counts.entry(subject.clone()).or_insert(Count { began_us: now_us, num_failures: 0 });
            if !count.is_running(now_us) {
                *count = Count { began_us: now_us, num_failures: 0 };
            }
            count.num_failures += 1;
        }
        Ok(Attempt { subjects })
    }

    /// The log-in was none that has failed.
    pub(crate) fn succeeded(&self, attempt: Attempt) {
        let mut counts = self.counts.lock();
        for (subject, _) in attempt.subjects {
            match subject {
                Subject::Account(_) => {
                    counts.remove(&subject);
                }
                Subject::Address(_) => {
                    if let Some(count) = counts.get_mut(&subject) {
                        count.num_failures = count.num_failures.saturating_sub(1);
                    }
                }
            }
        }
    }
}

impl Count {
    fn end_us(self) -> i64 {
        self.began_us.saturating_add(WINDOW_SECS * US_PER_SECOND)
    }

    /// A clock that was set back ends it too: it must not lock anybody out.
    fn is_running(self, now_us: i64) -> bool {
        (self.began_us..self.end_us()).contains(&now_us)
    }
}

fn make_room(counts: &mut HashMap<Subject, Count>, now_us: i64) {
    if counts.len() + 2 <= MAX_COUNTS {
        return;
    }
    counts.retain(|_, count| count.is_running(now_us));
    while counts.len() + 2 > MAX_COUNTS {
        let oldest =
            counts.iter().min_by_key(|(_, count)| count.began_us).map(|(subject, _)| subject.clone());
        oldest.and_then(|oldest| counts.remove(&oldest));
    }
}

/// One host of IPv6 has a whole network of addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_765_881_180_000_000;

    fn at(secs: i64) -> i64 {
        START_US + secs * US_PER_SECOND
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    #[test]
    fn an_account_is_tried_a_few_times_from_wherever() {
        let throttle = LoginThrottle::default();
        for last in 0..10 {
            throttle.begin("Ann@example.org ", address(last), at(0)).unwrap();
        }
        assert_eq!(throttle.begin("ann@example.org", address(99), at(10)).unwrap_err(), 290);
        assert!(throttle.begin("bob@example.org", address(99), at(10)).is_ok());
        assert!(throttle.begin("ann@example.org", address(99), at(300)).is_ok());
    }

    #[test]
    fn an_address_tries_a_bounded_number_of_accounts() {
        let throttle = LoginThrottle::default();
        for number in 0..50 {
            throttle.begin(&format!("{number}@example.org"), address(1), at(0)).unwrap();
        }
        assert_eq!(throttle.begin("ann@example.org", address(1), at(0)).unwrap_err(), 300);
        assert!(throttle.begin("ann@example.org", address(2), at(0)).is_ok());
        assert!(throttle.begin("ann@example.org", None, at(0)).is_ok());
    }

    #[test]
    fn what_succeeds_is_not_counted() {
        let throttle = LoginThrottle::default();
        for _ in 0..200 {
            let attempt = throttle.begin("ann@example.org", address(1), at(0)).unwrap();
            throttle.succeeded(attempt);
        }
        for _ in 0..9 {
            throttle.begin("ann@example.org", address(1), at(1)).unwrap();
        }
        let attempt = throttle.begin("ann@example.org", address(1), at(1)).unwrap();
        throttle.succeeded(attempt);
        assert!(throttle.begin("ann@example.org", address(1), at(1)).is_ok(), "a success forgets failures");
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let throttle = LoginThrottle::default();
        (0..10).for_each(|_| drop(throttle.begin("ann", address(1), at(0)).unwrap()));
        assert!(throttle.begin("ann", address(1), at(0)).is_err());
        assert!(throttle.begin("ann", address(1), at(-1)).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_counts_stay_bounded() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        let throttle = LoginThrottle::default();
        for number in 0..MAX_COUNTS as u32 {
            let address = IpAddr::V4((number / 40).into());
            throttle.begin(&number.to_string(), Some(address), at(i64::from(number) / 400)).unwrap();
        }
        assert!(throttle.counts.lock().len() <= MAX_COUNTS);
    }
}
