//! Threads for work that keeps a processor or a disk busy, so that it never holds up requests or queries.

use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// Work that runs until it ends by itself.
#[derive(Debug)]
pub(crate) struct BackgroundThread {
    ended: oneshot::Receiver<()>,
}

impl BackgroundThread {
    /// Runs `work` on a thread named `name`.
    ///
    /// # Errors
    /// `Unavailable` when the system gives no thread.
    pub(crate) fn start(name: &str, work: impl Future<Output = ()> + Send + 'static) -> Result<Self> {
        let cannot_start =
            |error| Error::unavailable(format!("cannot start the thread {name}")).with_source(error);
        // Blocking parts, encoding foremost, run on one more thread at a time.
        let runtime = Builder::new_current_thread()
            .thread_name(name)
            .max_blocking_threads(1)
            .enable_all()
            .build()
            .map_err(cannot_start)?;
        let (end, ended) = oneshot::channel();
        let run = move || {
            runtime.block_on(work);
            // Nobody may be waiting.
            let _ = end.send(());
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map_err(cannot_start)?;
        Ok(Self { ended })
    }

    /// Returns when the work has ended.
    ///
    /// # Errors
    /// `Internal` when it panicked.
    pub(crate) async fn ended(self) -> Result<()> {
        self.ended.await.map_err(|error| Error::internal("background work failed").with_source(error))
    }
}

/// Runs CPU work where it does not hold up other tasks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("background work was ended").with_source(error))?
}
