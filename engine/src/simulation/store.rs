//! An object store that fails, loses answers, is late, and survives every stop of the machine.

use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, pending, ready};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use tokio::sync::Notify;

use super::Sabotage;
use super::faults::{Fault, Faults, Machine};

/// The object store of a simulated machine.
#[derive(Clone, Debug)]
pub(super) struct SimStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    faults: Arc<Faults>,
    sabotage: Sabotage,
    objects: InMemory,
    /// Objects whose PUT has failed and which appear nevertheless.
    late: Mutex<Vec<(Path, PutPayload)>>,
    /// Reads until one fails; 0 for none.
    get_fails_in: AtomicUsize,
    /// Writes until one waits; 0 for none.
    put_waits_in: AtomicUsize,
    has_put_waited: Notify,
    put_may_go_on: Notify,
}

impl SimStore {
    pub(super) fn new(faults: Arc<Faults>, sabotage: Sabotage) -> Self {
        Self(Arc::new(Shared {
            faults,
            sabotage,
            objects: InMemory::new(),
            late: Mutex::default(),
            get_fails_in: AtomicUsize::new(0),
            put_waits_in: AtomicUsize::new(0),
            has_put_waited: Notify::new(),
            put_may_go_on: Notify::new(),
        }))
    }

    /// The objects themselves, without faults.
    pub(super) fn objects(&self) -> &InMemory {
        &self.0.objects
    }

    /// The paths of all objects.
    pub(super) async fn paths(&self) -> Vec<Path> {
        let listed: Result<Vec<ObjectMeta>> = self.0.objects.list(None).try_collect().await;
        listed.expect("BUG: memory cannot fail").into_iter().map(|object| object.location).collect()
    }

    /// Objects that were on their way appear.
    pub(super) async fn land_late_objects(&self) {
        let late = std::mem::take(&mut *self.0.late.lock());
        for (path, payload) in late {
            self.0.objects.put(&path, payload).await.expect("BUG: memory cannot fail");
        }
    }

    /// The `nth` read from here fails, counted from 1; 0 for none.
    pub(super) fn fail_get(&self, nth: usize) {
        self.0.get_fails_in.store(nth, Ordering::SeqCst);
    }

    /// The `nth` write from here waits, counted from 1, until told to go on.
    pub(super) fn hold_put(&self, nth: usize) {
        // What was rung and not heard before the machine stopped is not meant for this time.
        let _ = self.0.has_put_waited.notified().now_or_never();
        let _ = self.0.put_may_go_on.notified().now_or_never();
        self.0.put_waits_in.store(nth, Ordering::SeqCst);
    }

    /// Returns once a write waits.
    pub(super) async fn put_waits(&self) {
        self.0.has_put_waited.notified().await;
    }

    /// Lets writes go on.
    pub(super) fn let_put_go_on(&self) {
        self.0.put_waits_in.store(0, Ordering::SeqCst);
        self.0.put_may_go_on.notify_one();
    }
}

impl Shared {
    async fn store(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.sabotage == Sabotage::PutIsForgotten && path.as_ref().ends_with(".parquet") {
            return Ok(PutResult { e_tag: None, version: None });
        }
        self.objects.put_opts(path, payload, options).await
    }

    /// Counts an operation. Where the machine stops it does so for good: the future ends here.
    async fn operation(&self) -> Machine {
        let machine = self.faults.operation();
        if machine == Machine::Down {
            pending::<()>().await;
        }
        machine
    }

    fn counts_down(counter: &AtomicUsize) -> bool {
        let before = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        before == Ok(1)
    }

    async fn before_get(&self) -> Result<()> {
        if self.operation().await == Machine::Stopping {
            pending::<()>().await;
        }
        if Self::counts_down(&self.get_fails_in) { Err(failed(Fault::GetFailed)) } else { Ok(()) }
    }

    async fn delete(&self, path: &Path) -> Result<()> {
        let machine = self.operation().await;
        if machine == Machine::Stopping && self.faults.below(2) == 0 {
            pending::<()>().await;
        }
        if self.faults.strikes(Fault::DeleteRefused) {
            return Err(failed(Fault::DeleteRefused));
        }
        if self.sabotage != Sabotage::DeleteIsForgotten {
            self.objects.delete(path).await?;
        }
        if machine == Machine::Stopping {
            pending::<()>().await;
        }
        if self.faults.strikes(Fault::DeleteAnswerLost) {
            return Err(failed(Fault::DeleteAnswerLost));
        }
        Ok(())
    }
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

/// A write, with everything that can happen to it.
async fn put(shared: Arc<Shared>, path: Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
    let machine = shared.operation().await;
    if Shared::counts_down(&shared.put_waits_in) {
        shared.has_put_waited.notify_one();
        shared.put_may_go_on.notified().await;
    }
    if machine == Machine::Stopping && shared.faults.below(2) == 0 {
        pending::<()>().await;
    }
    if shared.faults.strikes(Fault::PutSlow) {
        tokio::task::yield_now().await;
    }
    if shared.faults.strikes(Fault::PutRefused) {
        return Err(failed(Fault::PutRefused));
    }
    if shared.faults.strikes(Fault::PutLate) {
        shared.late.lock().push((path, payload));
        return Err(failed(Fault::PutLate));
    }
    if shared.faults.strikes(Fault::PutTwice) {
        shared.store(&path, payload.clone(), options.clone()).await?;
    }
    let result = shared.store(&path, payload, options).await;
    if machine == Machine::Stopping {
        pending::<()>().await;
    }
    if shared.faults.strikes(Fault::PutAnswerLost) {
        return Err(failed(Fault::PutAnswerLost));
    }
    result
}

// The methods are written as the attribute macro of the trait's crate would: it is not a dependency.
impl ObjectStore for SimStore {
    fn put_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'async_trait, Result<PutResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        put(Arc::clone(&self.0), path.clone(), payload, options).boxed()
    }

    /// The parts stay outside the simulation: what matters is whether and when the whole appears.
    fn put_multipart_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        _: PutMultipartOptions,
    ) -> BoxFuture<'async_trait, Result<Box<dyn MultipartUpload>>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let upload = SimUpload { shared: Arc::clone(&self.0), path: path.clone(), parts: Vec::new() };
        ready(Ok(Box::new(upload) as Box<dyn MultipartUpload>)).boxed()
    }

    fn get_opts<'life0, 'life1, 'async_trait>(
        &'life0 self,
        path: &'life1 Path,
        options: GetOptions,
    ) -> BoxFuture<'async_trait, Result<GetResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let get = async move {
            self.0.before_get().await?;
            self.0.objects.get_opts(path, options).await
        };
        get.boxed()
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let shared = Arc::clone(&self.0);
        let delete = move |path: Result<Path>| {
            let shared = Arc::clone(&shared);
            async move {
                let path = path?;
                shared.delete(&path).await?;
                Ok(path)
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.objects.list(prefix)
    }

    fn list_with_delimiter<'life0, 'life1, 'async_trait>(
        &'life0 self,
        prefix: Option<&'life1 Path>,
    ) -> BoxFuture<'async_trait, Result<ListResult>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.0.objects.list_with_delimiter(prefix)
    }

    fn copy_opts<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        from: &'life1 Path,
        to: &'life2 Path,
        options: CopyOptions,
    ) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.0.objects.copy_opts(from, to, options)
    }
}

/// An object that comes in parts.
#[derive(Debug)]
struct SimUpload {
    shared: Arc<Shared>,
    path: Path,
    parts: Vec<PutPayload>,
}

impl MultipartUpload for SimUpload {
    fn put_part(&mut self, part: PutPayload) -> UploadPart {
        self.parts.push(part);
        ready(Ok(())).boxed()
    }

    fn complete<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<PutResult>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let whole: PutPayload = self.parts.iter().flatten().cloned().collect();
        put(Arc::clone(&self.shared), self.path.clone(), whole, PutOptions::default()).boxed()
    }

    fn abort<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        self.parts.clear();
        ready(Ok(())).boxed()
    }
}

fn failed(fault: Fault) -> Error {
    Error::Generic { store: "simulated", source: format!("{fault:?}").into() }
}
