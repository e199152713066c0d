//! What a simulation knows must be stored: every request that was sent, and what became of it.

use std::collections::BTreeMap;

/// One stored row, as a reader finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// Which request brought it.
    pub(super) request: usize,
    /// Its place in the request.
    pub(super) index: usize,
    pub(super) uuid: u128,
    pub(super) timestamp_us: i64,
    pub(super) ingested_us: i64,
}

impl Row {
    /// Whether it is before a cutoff, by the earlier one of its times.
    pub(super) fn is_expired(&self, cutoff_us: i64) -> bool {
        self.timestamp_us.min(self.ingested_us) < cutoff_us
    }
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not answered: the next start decides. Until then its rows are not to be seen.
    Open,
    /// Stored for good: acknowledged, or found after a start.
    Stored,
    /// Refused before anything was written, or not found after a start: its rows never appear.
    Absent,
}

#[derive(Debug)]
struct Request {
    project: i64,
    rows: Vec<SentRow>,
    fate: Fate,
    /// Moments, counted.
    sent_at: u64,
    settled_at: u64,
    /// No row of it came in before this, microseconds.
    sent_us: i64,
}

#[derive(Debug)]
struct SentRow {
    timestamp_us: i64,
    /// Once it has been seen.
    uuid: Option<u128>,
    /// It had expired at some time, so that it may have been removed.
    may_be_gone: bool,
}

impl Request {
    fn uuids(&self) -> impl Iterator<Item = u128> {
        self.rows.iter().filter_map(|row| row.uuid)
    }
}

/// All requests of a simulation.
#[derive(Debug, Default)]
pub(super) struct Model {
    requests: Vec<Request>,
    moment: u64,
}

impl Model {
    /// Notes a request that is about to be sent; returns its number.
    pub(super) fn send(&mut self, project: i64, timestamps_us: &[i64], sent_us: i64) -> usize {
        self.moment += 1;
        let row = |&timestamp_us: &i64| SentRow { timestamp_us, uuid: None, may_be_gone: false };
        self.requests.push(Request {
            project,
            rows: timestamps_us.iter().map(row).collect(),
            fate: Fate::Open,
            sent_at: self.moment,
            settled_at: 0,
            sent_us,
        });
        self.requests.len() - 1
    }

    /// Notes that rows of a project before a cutoff have expired: from now on they may leave the storage.
    pub(super) fn expire(&mut self, project: i64, cutoff_us: i64) {
        for request in self.requests.iter_mut().filter(|request| request.project == project) {
            for row in &mut request.rows {
                row.may_be_gone |= row.timestamp_us.min(request.sent_us) < cutoff_us;
            }
        }
    }

    /// Notes what became of a request.
    pub(super) fn settle(&mut self, request: usize, fate: Fate) {
        self.moment += 1;
        let request = &mut self.requests[request];
        (request.fate, request.settled_at) = (fate, self.moment);
    }

    /// After a start: what is found of an unanswered request is stored, and what is not never will be.
    pub(super) fn settle_open_requests(&mut self, project: i64, rows: &[Row]) {
        for number in 0..self.requests.len() {
            if self.requests[number].project == project && self.requests[number].fate == Fate::Open {
                let is_found = rows.iter().any(|row| row.request == number);
                self.settle(number, if is_found { Fate::Stored } else { Fate::Absent });
            }
        }
    }

    /// Compares everything that can be read of a project with what must be there. Rows before `cutoff_us` have
    /// expired: they are hidden, and whether they are still stored is nobody's business.
    pub(super) fn check(&mut self, project: i64, rows: &[Row], cutoff_us: i64) -> Result<(), String> {
        let mut found: BTreeMap<(usize, usize), Row> = BTreeMap::new();
        for row in rows {
            let sent = self.requests.get(row.request).filter(|sent| sent.project == project);
            let Some(sent) = sent.and_then(|sent| sent.rows.get(row.index)) else {
                return Err(format!("project {project} has a row that was not sent to it: {row:?}"));
            };
            if sent.timestamp_us != row.timestamp_us {
                return Err(format!("project {project} has a row that was sent otherwise: {row:?}"));
            }
            if found.insert((row.request, row.index), *row).is_some() {
                return Err(format!("project {project} has a row twice: {row:?}"));
            }
        }
        for number in 0..self.requests.len() {
            if self.requests[number].project == project {
                let found = |index: usize| found.get(&(number, index));
                let checked = self.requests[number].check(found, cutoff_us);
                checked.map_err(|what| format!("project {project}, request {number}: {what}"))?;
            }
        }
        Ok(())
    }

    /// Compares what is left after the loss of a machine, rows and how often each is there, with what must be.
    pub(super) fn check_recovered(&self, found: &BTreeMap<(usize, usize), u32>) -> Result<(), String> {
        for (number, request) in self.requests.iter().enumerate() {
            let expected = match request.fate {
                Fate::Stored => 1,
                Fate::Absent => 0,
                Fate::Open => continue,
            };
            for (index, row) in request.rows.iter().enumerate() {
                let times = found.get(&(number, index)).copied().unwrap_or_default();
                if times != expected && !(times < expected && row.may_be_gone) {
                    return Err(format!(
                        "without this machine, row {index} of request {number} would be there {times} times; \
                         it is {:?}",
                        request.fate
                    ));
                }
            }
        }
        Ok(())
    }

    /// Row ids are unique, and rise in the order of ingestion.
    pub(super) fn check_order(&self) -> Result<(), String> {
        let stored =
            || self.requests.iter().enumerate().filter(|(_, request)| request.uuids().next().is_some());
        let mut all: Vec<u128> = stored().flat_map(|(_, request)| request.uuids()).collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two rows have the same id".to_owned());
        }
        let mut settled: Vec<_> = stored().collect();
        settled.sort_by_key(|(_, request)| request.settled_at);
        let mut settled = settled.into_iter().peekable();
        let mut newest_before = 0;
        // Requests are numbered in the order in which they were sent.
        for (number, request) in stored() {
            while let Some((_, earlier)) = settled.next_if(|(_, other)| other.settled_at < request.sent_at) {
                newest_before = newest_before.max(earlier.uuids().last().unwrap_or_default());
            }
            if request.uuids().next().is_some_and(|first| first <= newest_before) {
                return Err(format!(
                    "request {number} has row ids below those of rows that came in before it"
                ));
            }
        }
        Ok(())
    }
}

impl Request {
    /// Compares the rows that were found with what must be there.
    fn check<'r>(&mut self, found: impl Fn(usize) -> Option<&'r Row>, cutoff_us: i64) -> Result<(), String> {
        for (index, sent) in self.rows.iter_mut().enumerate() {
            match (found(index), self.fate) {
                (Some(row), Fate::Stored) => {
                    if sent.uuid.replace(row.uuid).is_some_and(|before| before != row.uuid) {
                        return Err(format!("row {index} has another id than before"));
                    }
                    if row.ingested_us < self.sent_us {
                        return Err(format!("row {index} came in before it was sent"));
                    }
                }
                (Some(_), fate) => return Err(format!("row {index} is there, and the request is {fate:?}")),
                (None, Fate::Stored) if !sent.may_be_gone && sent.timestamp_us >= cutoff_us => {
                    return Err(format!("row {index} is lost"));
                }
                (None, _) => {}
            }
        }
        if self.uuids().is_sorted() { Ok(()) } else { Err("row ids do not rise with the rows".to_owned()) }
    }
}
