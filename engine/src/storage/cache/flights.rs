//! Each missing block is fetched once, however many queries wait for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use object_store::{Error, Result};
use parking_lot::Mutex;

use super::block_file::{Block, BlockKey, ObjectKey};
use super::plan::{BLOCK_BYTES, BlockRun, runs_of};

/// What one request brought: the blocks of a run that the object has.
#[derive(Clone, Debug)]
pub(super) struct FetchedRun {
    pub(super) first: u64,
    pub(super) object_bytes: u64,
    pub(super) bytes: Bytes,
}

impl FetchedRun {
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u64, Block)> {
        let num_blocks = (self.bytes.len() as u64).div_ceil(BLOCK_BYTES);
        (0..num_blocks).map(|index| {
            let start = (index * BLOCK_BYTES) as usize;
            let end = (start + BLOCK_BYTES as usize).min(self.bytes.len());
            let block = Block { object_bytes: self.object_bytes, bytes: self.bytes.slice(start..end) };
            (self.first + index, block)
        })
    }
}

type Fetch = BoxFuture<'static, Result<FetchedRun, Arc<Error>>>;

/// A request on its way. Whoever waits for it moves it on; when nobody does, it is cancelled.
pub(super) type Flight = Shared<Fetch>;

/// The requests on their way, by the blocks that they bring.
#[derive(Default)]
pub(super) struct Flights {
    departed: Arc<Departed>,
    next_number: AtomicU64,
}

type Departed = Mutex<HashMap<BlockKey, NumberedFlight>>;

struct NumberedFlight {
    number: u64,
    flight: WeakShared<Fetch>,
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} blocks on their way", self.departed.lock().len())
    }
}

impl Flights {
    /// The flights that bring the `wanted` blocks, given in order: those that are on their way, and new ones for
    /// the other blocks, unless those are cached by now. A flight whose blocks are kept caches them before it lands,
    /// so that they are always either cached or on their way.
    pub(super) fn join(
        &self,
        object: ObjectKey,
        wanted: &[u64],
        is_cached: impl Fn(BlockKey) -> bool,
        fetch: impl Fn(BlockRun) -> BoxFuture<'static, Result<FetchedRun>>,
    ) -> Vec<Flight> {
        let mut joined: HashMap<u64, Flight> = HashMap::new();
        let mut new_blocks = Vec::new();
        let mut departed = self.departed.lock();
        for &number in wanted {
            let key = BlockKey { object, number };
            let on_its_way =
                departed.get(&key).and_then(|known| Some((known.number, known.flight.upgrade()?)));
            match on_its_way {
                Some((flight_number, flight)) => drop(joined.insert(flight_number, flight)),
                None if is_cached(key) => {}
                None => new_blocks.push(number),
            }
        }
        let mut flights: Vec<Flight> = joined.into_values().collect();
        for run in runs_of(&new_blocks) {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            let landing = Landing { departed: Arc::clone(&self.departed), object, run, number };
            let fetched = fetch(run);
            let flight = async move {
                let result = fetched.await.map_err(Arc::new);
                drop(landing);
                result
            };
            let flight = flight.boxed().shared();
            for block in run.blocks() {
                if let Some(flight) = flight.downgrade() {
                    departed.insert(BlockKey { object, number: block }, NumberedFlight { number, flight });
                }
            }
            flights.push(flight);
        }
        flights
    }
}

/// Takes a flight off the list, when it lands or is cancelled.
struct Landing {
    departed: Arc<Departed>,
    object: ObjectKey,
    run: BlockRun,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut departed = self.departed.lock();
        for block in self.run.blocks() {
            let key = BlockKey { object: self.object, number: block };
            if departed.get(&key).is_some_and(|flight| flight.number == self.number) {
                departed.remove(&key);
            }
        }
    }
}

/// A failure that several readers share.
#[derive(Clone, Debug)]
struct SharedFailure(Arc<Error>);

impl SharedFailure {
    fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match &*self.0 {
            Error::Generic { source, .. }
            | Error::NotFound { source, .. }
            | Error::PermissionDenied { source, .. }
            | Error::Unauthenticated { source, .. } => source.as_ref(),
            other => other,
        }
    }
}

impl fmt::Display for SharedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), f)
    }
}

impl std::error::Error for SharedFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().source()
    }
}

/// A shared failure as the failure of one reader, of the same kind.
pub(super) fn own_failure(error: Arc<Error>) -> Error {
    let source = Box::new(SharedFailure(Arc::clone(&error)));
    match &*error {
        Error::Generic { store, .. } => Error::Generic { store, source },
        Error::NotFound { path, .. } => Error::NotFound { path: path.clone(), source },
        Error::PermissionDenied { path, .. } => Error::PermissionDenied { path: path.clone(), source },
        Error::Unauthenticated { path, .. } => Error::Unauthenticated { path: path.clone(), source },
        _ => Error::Generic { store: "remote", source },
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;

    const OBJECT: ObjectKey = ObjectKey(1);

    fn run_of(run: BlockRun) -> FetchedRun {
        let bytes = vec![0; (run.num_blocks * BLOCK_BYTES) as usize];
        FetchedRun { first: run.first, object_bytes: u64::MAX, bytes: bytes.into() }
    }

    #[tokio::test]
    async fn blocks_on_their_way_are_not_asked_for_again() {
        let flights = Flights::default();
        let (send, receive) = oneshot::channel::<()>();
        let gate = receive.map(drop).shared();
        let fetch = |run| {
            let gate = gate.clone();
            async move {
                gate.await;
                Ok(run_of(run))
            }
            .boxed()
        };
        let never = |_: BlockKey| false;
        let first = flights.join(OBJECT, &[0, 1, 2], never, fetch);
        let second = flights.join(OBJECT, &[1, 2, 3], never, fetch);
        assert_eq!((first.len(), second.len()), (1, 2), "blocks 1 and 2 are shared, block 3 is new");
        // The first reader gives up before anything has come; the second one still gets its blocks.
        drop(first);
        send.send(()).unwrap();
        let mut brought: Vec<u64> = Vec::new();
        for flight in second {
            brought.extend(flight.await.unwrap().blocks().map(|(number, _)| number));
        }
        brought.sort_unstable();
        assert_eq!(brought, [0, 1, 2, 3]);
        assert_eq!(flights.departed.lock().len(), 0);
    }

    #[test]
    fn a_flight_that_nobody_waits_for_is_cancelled_and_forgotten() {
        let flights = Flights::default();
        let forever = |_| futures::future::pending().boxed();
        let flight = flights.join(OBJECT, &[5], |_| false, forever);
        assert_eq!(flights.departed.lock().len(), 1);
        drop(flight);
        assert_eq!(flights.departed.lock().len(), 0);
    }

    #[test]
    fn what_is_cached_by_now_is_not_fetched() {
        let flights = Flights::default();
        let joined = flights.join(OBJECT, &[5], |_| true, |_| futures::future::pending().boxed());
        assert!(joined.is_empty());
    }

    #[test]
    fn a_shared_failure_keeps_its_kind_and_its_words() {
        let missing = Error::NotFound { path: "a".into(), source: "gone".into() };
        let text = missing.to_string();
        let own = own_failure(Arc::new(missing));
        assert!(matches!(own, Error::NotFound { .. }));
        assert_eq!(own.to_string(), text);
    }
}
