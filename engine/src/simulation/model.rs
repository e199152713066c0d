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
    timestamps_us: Vec<i64>,
    fate: Fate,
    /// Moments, counted.
    sent_at: u64,
    settled_at: u64,
    /// Of its rows, once they have been seen.
    uuids: Vec<u128>,
}

/// All requests of a simulation.
#[derive(Debug, Default)]
pub(super) struct Model {
    requests: Vec<Request>,
    moment: u64,
}

impl Model {
    /// Notes a request that is about to be sent; returns its number.
    pub(super) fn send(&mut self, project: i64, timestamps_us: Vec<i64>) -> usize {
        self.moment += 1;
        self.requests.push(Request {
            project,
            timestamps_us,
            fate: Fate::Open,
            sent_at: self.moment,
            settled_at: 0,
            uuids: Vec::new(),
        });
        self.requests.len() - 1
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

    /// How many rows of a project must be there.
    pub(super) fn num_rows(&self, project: i64) -> usize {
        let stored = self.requests.iter().filter(|request| request.project == project);
        let stored = stored.filter(|request| request.fate == Fate::Stored);
        stored.map(|request| request.timestamps_us.len()).sum()
    }

    /// Compares everything that is stored of a project with what must be.
    pub(super) fn check(&mut self, project: i64, rows: &[Row]) -> Result<(), String> {
        let mut found: BTreeMap<usize, Vec<Option<u128>>> = BTreeMap::new();
        for row in rows {
            let Some(request) = self.requests.get(row.request).filter(|sent| sent.project == project) else {
                return Err(format!("project {project} has a row that was not sent to it: {row:?}"));
            };
            if request.timestamps_us.get(row.index) != Some(&row.timestamp_us) {
                return Err(format!("project {project} has a row that was sent otherwise: {row:?}"));
            }
            let uuids = found.entry(row.request).or_insert_with(|| vec![None; request.timestamps_us.len()]);
            if uuids[row.index].replace(row.uuid).is_some() {
                return Err(format!("project {project} has a row twice: {row:?}"));
            }
        }
        let requests = self.requests.iter_mut().enumerate();
        for (number, request) in requests.filter(|(_, request)| request.project == project) {
            let uuids = found.remove(&number).unwrap_or_default();
            let uuids: Vec<u128> = uuids.into_iter().flatten().collect();
            request.check(uuids).map_err(|what| format!("project {project}, request {number}: {what}"))?;
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
            for index in 0..request.timestamps_us.len() {
                let times = found.get(&(number, index)).copied().unwrap_or_default();
                if times != expected {
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
        let stored = || self.requests.iter().enumerate().filter(|(_, request)| !request.uuids.is_empty());
        let mut all: Vec<u128> = stored().flat_map(|(_, request)| request.uuids.iter().copied()).collect();
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
                newest_before = newest_before.max(*earlier.uuids.last().unwrap_or(&0));
            }
            if request.uuids.first().is_some_and(|&first| first <= newest_before) {
                return Err(format!(
                    "request {number} has row ids below those of rows that came in before it"
                ));
            }
        }
        Ok(())
    }
}

impl Request {
    /// Compares the rows that were found, in their order, with what must be there.
    fn check(&mut self, uuids: Vec<u128>) -> Result<(), String> {
        let (num_found, num_sent) = (uuids.len(), self.timestamps_us.len());
        let expected = match self.fate {
            Fate::Stored => num_sent,
            Fate::Open | Fate::Absent => 0,
        };
        if num_found != expected {
            let fate = self.fate;
            return Err(format!("{num_found} of {num_sent} rows are there, and it is {fate:?}"));
        }
        if !uuids.is_sorted() {
            return Err("row ids do not rise in the order of the rows".to_owned());
        }
        if !self.uuids.is_empty() && self.uuids != uuids {
            return Err("rows have other ids than before".to_owned());
        }
        self.uuids = uuids;
        Ok(())
    }
}
