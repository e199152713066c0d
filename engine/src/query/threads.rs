//! The threads that queries run on.

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};

/// Plans are trees, and the deepest that may be asked for is a thousand levels deep. Memory that is not used is not
/// taken.
const STACK_BYTES: usize = 64 << 20;

/// The threads of queries: apart from those that take requests, so that no query holds up the others.
pub(crate) struct QueryThreads {
    /// Always there, until dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl QueryThreads {
    /// Starts so many threads of a name.
    pub(crate) fn start(name: &str, num_threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(num_threads.max(1))
            .thread_name(name)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable("cannot start query threads").with_source(error))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for QueryThreads {
    /// Does not wait: the context may be dropped on a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
