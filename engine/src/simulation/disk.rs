//! A disk that forgets what was not synced.
//!
//! A file has two contents: what a program reads, and what is on the platter. A sync makes them equal; a power
//! cut keeps, loses or tears whatever differs. The same holds for names in the directory. After a sync that has
//! failed, what was written is readable and will never reach the platter unless it is written again, as some
//! systems do it.

use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Sabotage;
use super::faults::{Fault, Faults, Machine};
use crate::wal::{AppendFile, Disk};

/// Written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// The disk of a simulated machine, which outlives its engines.
#[derive(Clone, Debug)]
pub(super) struct SimDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    faults: Arc<Faults>,
    sabotage: Sabotage,
    capacity_bytes: usize,
    state: Mutex<State>,
    gate: Mutex<Gate>,
    gate_opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
}

#[derive(Clone, Debug, Default)]
struct File {
    content: Vec<u8>,
    platter: Vec<u8>,
    /// What the system still means to write.
    dirty: Vec<Range<usize>>,
}

/// Holds an append at its beginning until told otherwise.
#[derive(Debug, Default)]
struct Gate {
    is_closed: bool,
    is_reached: bool,
}

impl SimDisk {
    pub(super) fn new(faults: Arc<Faults>, sabotage: Sabotage, capacity_bytes: usize) -> Self {
        Self(Arc::new(Shared {
            faults,
            sabotage,
            capacity_bytes,
            state: Mutex::default(),
            gate: Mutex::default(),
            gate_opened: Condvar::new(),
        }))
    }

    /// Appends wait from here on.
    pub(super) fn close_gate(&self) {
        *self.0.gate.lock() = Gate { is_closed: true, is_reached: false };
    }

    /// Whether an append waits.
    pub(super) fn is_gate_reached(&self) -> bool {
        self.0.gate.lock().is_reached
    }

    pub(super) fn open_gate(&self) {
        *self.0.gate.lock() = Gate::default();
        self.0.gate_opened.notify_all();
    }

    /// The power fails: what was not synced is kept, lost or torn.
    pub(super) fn cut_power(&self) {
        let faults = &self.0.faults;
        let mut state = self.0.state.lock();
        let State { files, names, synced_names } = &mut *state;
        let mut found = BTreeMap::new();
        for path in names.keys().chain(synced_names.keys()) {
            let (now, synced) = (names.get(path), synced_names.get(path));
            let kept = if now == synced || faults.below(2) == 0 { synced } else { now };
            found.extend(kept.map(|&file| (path.clone(), file)));
        }
        for file in files.iter_mut() {
            file.lose_power(faults);
        }
        (*names, *synced_names) = (found.clone(), found);
    }

    /// A copy of what a program reads, for a look at the log that changes nothing.
    pub(super) fn copy(&self, faults: Arc<Faults>) -> Self {
        let copy = Self::new(faults, Sabotage::None, usize::MAX);
        let state = self.0.state.lock();
        *copy.0.state.lock() = State {
            files: state.files.clone(),
            names: state.names.clone(),
            synced_names: state.synced_names.clone(),
        };
        copy
    }
}

impl File {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.content.len() < end {
            self.content.resize(end, 0);
        }
        self.content[offset..end].copy_from_slice(bytes);
        self.dirty.push(offset..end);
    }

    fn sync(&mut self) {
        self.platter.resize(self.content.len(), 0);
        for range in std::mem::take(&mut self.dirty) {
            let range = range.start.min(self.content.len())..range.end.min(self.content.len());
            self.platter[range.clone()].copy_from_slice(&self.content[range]);
        }
    }

    /// Some of what was to be written is; the system forgets that the rest is not.
    fn fail_sync(&mut self, faults: &Faults) {
        self.write_some(faults);
        self.dirty.clear();
    }

    fn lose_power(&mut self, faults: &Faults) {
        if self.platter.len() != self.content.len() && faults.below(2) == 0 {
            self.platter.resize(self.content.len(), 0);
        }
        self.write_some(faults);
        self.dirty.clear();
        self.content.clone_from(&self.platter);
    }

    /// Writes all, nothing, the beginning or any sectors of what is dirty.
    fn write_some(&mut self, faults: &Faults) {
        for range in self.dirty.clone() {
            let torn_at = range.start + faults.below(range.len());
            let manner = faults.below(4);
            for index in range.clone().step_by(SECTOR_BYTES) {
                let sector = index..(index + SECTOR_BYTES).min(range.end);
                let kept = match manner {
                    0 => sector,
                    1 => sector.start..sector.end.min(torn_at).max(sector.start),
                    2 if faults.below(2) == 0 => sector,
                    _ => continue,
                };
                let end = self.platter.len().min(self.content.len());
                let kept = kept.start.min(end)..kept.end.min(end);
                self.platter[kept.clone()].copy_from_slice(&self.content[kept]);
            }
        }
    }
}

impl Shared {
    /// What of an operation of `num_steps` steps is done, and whether it succeeds. A machine that stops has done
    /// any number of them.
    fn steps(&self, num_steps: usize) -> (usize, io::Result<()>) {
        match self.faults.operation() {
            Machine::Up => (num_steps, Ok(())),
            Machine::Stopping => (self.faults.below(num_steps + 1), Err(stopped())),
            Machine::Down => (0, Err(stopped())),
        }
    }

    /// An operation that is done or not.
    fn whole(&self, fault: Fault) -> (bool, io::Result<()>) {
        let (done, result) = self.steps(1);
        if result.is_ok() && self.faults.strikes(fault) {
            return (false, Err(failed(fault)));
        }
        (done == 1, result)
    }

    fn wait_at_gate(&self) {
        let mut gate = self.gate.lock();
        while gate.is_closed {
            gate.is_reached = true;
            self.gate_opened.wait(&mut gate);
        }
    }
}

impl Disk for SimDisk {
    fn create_directory(&self, _: &Path) -> io::Result<()> {
        self.0.steps(0).1
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.whole(Fault::SegmentRead).1?;
        let state = self.0.state.lock();
        Ok(state.names.keys().filter(|path| path.parent() == Some(directory)).cloned().collect())
    }

    fn read(&self, path: &Path) -> io::Result<Bytes> {
        self.0.whole(Fault::SegmentRead).1?;
        let state = self.0.state.lock();
        let &file = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Bytes::copy_from_slice(&state.files[file].content))
    }

    fn create(&self, path: &Path, header: &[u8], capacity_bytes: u64) -> io::Result<Box<dyn AppendFile>> {
        let (done, result) = self.0.steps(4);
        let faults = &self.0.faults;
        let mut state = self.0.state.lock();
        let used: usize = state.names.values().map(|&file| state.files[file].content.len()).sum();
        if state.names.contains_key(path) {
            return result.and(Err(io::ErrorKind::AlreadyExists.into()));
        }
        if done == 0 {
            return Err(result.err().unwrap_or_else(stopped));
        }
        let file = state.files.len();
        state.files.push(File::default());
        state.names.insert(path.to_owned(), file);
        let capacity = usize::try_from(capacity_bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        if result.is_ok() && (used + capacity > self.0.capacity_bytes || faults.strikes(Fault::DiskFull)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if done >= 2 {
            state.files[file].write(0, &vec![0; capacity]);
        }
        if done >= 3 {
            state.files[file].write(0, header);
        }
        if result.is_ok() && faults.strikes(Fault::SegmentCreate) {
            state.files[file].fail_sync(faults);
            return Err(failed(Fault::SegmentCreate));
        }
        if done >= 4 {
            state.files[file].sync();
        }
        result?;
        Ok(Box::new(SimFile { disk: self.clone(), file, end: header.len() }))
    }

    fn settle(&self, path: &Path, offset: u64, tail: &[u8]) -> io::Result<()> {
        let (done, result) = self.0.steps(3);
        let mut state = self.0.state.lock();
        let &file = state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let file = &mut state.files[file];
        if done >= 1 {
            file.write(offset, tail);
        }
        if done >= 2 {
            file.content.truncate(offset + tail.len());
        }
        if result.is_ok() && self.0.faults.strikes(Fault::SegmentSettle) {
            file.fail_sync(&self.0.faults);
            return Err(failed(Fault::SegmentSettle));
        }
        if done >= 3 {
            file.sync();
        }
        result
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (is_done, result) = self.0.whole(Fault::SegmentRemove);
        let mut state = self.0.state.lock();
        if !is_done {
            return result;
        }
        let removed = state.names.remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into());
        result.and(removed)
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        let (is_done, result) = self.0.whole(Fault::DirectorySync);
        if is_done && self.0.sabotage != Sabotage::DirectoryIsNeverSynced {
            let mut state = self.0.state.lock();
            state.synced_names = state.names.clone();
        }
        result
    }
}

/// A file of a [`SimDisk`] that is being appended to.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    end: usize,
}

impl AppendFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let disk = &self.disk.0;
        disk.wait_at_gate();
        let (done, mut result) = disk.steps(3);
        let (faults, mut state) = (&disk.faults, disk.state.lock());
        let file = &mut state.files[self.file];
        let mut written = match done {
            0 => 0,
            1 => faults.below(bytes.len()),
            _ => bytes.len(),
        };
        if result.is_ok() && faults.strikes(Fault::AppendWrite) {
            (written, result) = (faults.below(bytes.len()), Err(failed(Fault::AppendWrite)));
        }
        file.write(self.end, &bytes[..written]);
        if result.is_ok() && faults.strikes(Fault::AppendSync) {
            file.fail_sync(faults);
            result = Err(failed(Fault::AppendSync));
        }
        if done >= 3 && written == bytes.len() && disk.sabotage != Sabotage::AppendIsNeverSynced {
            file.sync();
        }
        self.end += written;
        result
    }
}

fn failed(fault: Fault) -> io::Error {
    io::Error::other(format!("simulated: {fault:?}"))
}

fn stopped() -> io::Error {
    io::Error::other("simulated: the machine has stopped")
}
