//! An S3 server in the test process, on a loopback port, that fails when it is told to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::storage::StorageConfig;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

const BUCKET: &str = "bucket-of-tests";
const KEY: &str = "key-of-tests";
/// What no message may hold.
pub(crate) const SECRET: &str = "secret-of-tests";

/// The server and its one bucket, in a folder of its own.
pub(crate) struct S3Server {
    root: TempDir,
    address: SocketAddr,
    service: S3Service,
    mood: Arc<Mood>,
    running: Mutex<Option<JoinHandle<()>>>,
}

/// How the server treats requests, and which there were.
#[derive(Default)]
struct Mood {
    operations: Mutex<Vec<String>>,
    failing: Mutex<Option<&'static str>>,
    is_silent: AtomicBool,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let root = TempDir::new().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mood = Arc::<Mood>::default();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        builder.set_access(MoodyAccess(Arc::clone(&mood)));
        let service = builder.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = Mutex::new(Some(tokio::spawn(serve(listener, service.clone()))));
        Self { root, address, service, mood, running }
    }

    /// Settings that reach it. Failures show soon.
    pub(crate) fn config(&self) -> StorageConfig {
        let endpoint = format!("http://{}", self.address);
        let options = [
            ("aws_endpoint", endpoint.as_str()),
            ("aws_access_key_id", KEY),
            ("aws_secret_access_key", SECRET),
            ("aws_region", "us-east-1"),
            ("allow_http", "true"),
        ];
        StorageConfig {
            options: options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            max_retries: 1,
            request_timeout: Duration::from_secs(20),
            ..StorageConfig::at(format!("s3://{BUCKET}/some/prefix"))
        }
    }

    /// Breaks all connections and takes no new ones.
    pub(crate) async fn stop(&self) {
        let running = self.running.lock().take();
        if let Some(running) = running {
            running.abort();
            let _ = running.await;
        }
    }

    /// Serves again at the same address.
    pub(crate) async fn resume(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        *self.running.lock() = Some(tokio::spawn(serve(listener, self.service.clone())));
    }

    /// Answers an operation, like `PutObject`, with "unavailable" from now on.
    pub(crate) fn fail(&self, operation: Option<&'static str>) {
        *self.mood.failing.lock() = operation;
    }

    /// Takes requests and never answers.
    pub(crate) fn fall_silent(&self) {
        self.mood.is_silent.store(true, Ordering::SeqCst);
    }

    /// The operations that it was asked for since the last time.
    pub(crate) fn operations(&self) -> Vec<String> {
        std::mem::take(&mut self.mood.operations.lock())
    }

    /// Parts of uploads that were neither finished nor taken back.
    pub(crate) fn num_loose_parts(&self) -> usize {
        let names = std::fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(".part-")).count()
    }

    /// Where the server keeps an object, whose path is below the prefix.
    pub(crate) fn file_of(&self, path: &str) -> PathBuf {
        self.root.path().join(BUCKET).join("some/prefix").join(path)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut() {
            running.abort();
        }
    }
}

/// Serves until aborted, and its connections with it.
async fn serve(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let service = service.clone();
        connections.spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

struct MoodyAccess(Arc<Mood>);

impl S3Access for MoodyAccess {
    fn check<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        context: &'life1 mut S3AccessContext<'life2>,
    ) -> Pin<Box<dyn Future<Output = S3Result<()>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        let operation = context.s3_op().name();
        self.0.operations.lock().push(operation.to_owned());
        let is_anonymous = context.credentials().is_none();
        let is_failing = *self.0.failing.lock() == Some(operation);
        let is_silent = self.0.is_silent.load(Ordering::SeqCst);
        Box::pin(async move {
            match (is_anonymous, is_failing) {
                _ if is_silent => std::future::pending().await,
                (true, _) => Err(s3_error!(AccessDenied)),
                (_, true) => Err(s3_error!(ServiceUnavailable)),
                _ => Ok(()),
            }
        })
    }
}
