//! A Timberline server in a process of its own, spoken to over HTTP.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::machine::peak_memory_bytes_of;
use crate::size::FolderSize;

/// Requests in flight at one time, as from several collectors.
const NUM_SENDERS: usize = 8;
/// How long a sender waits when it is told to come again. Shorter than what the server says, to measure it busy.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// How often it is looked whether background work has ended.
const POLL: Duration = Duration::from_millis(200);

/// A server and its credentials.
#[derive(Debug)]
pub(super) struct Timberline {
    program: PathBuf,
    data_dir: PathBuf,
    settings: Vec<(&'static str, String)>,
    token: String,
    key: String,
    running: Option<Running>,
    client: Client,
    peak_memory_bytes: Option<u64>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    url: String,
}

/// What sending took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// From the first request until the last was acknowledged.
    pub(super) elapsed: Duration,
    /// Times a sender was told to come again.
    pub(super) num_retries: u64,
}

impl Timberline {
    /// Makes a folder and serves it with some settings, as environment variables. `program` runs the server's commands
    /// after the word `timberline`.
    ///
    /// # Errors
    /// When the program does not start.
    pub(super) fn start(
        program: &Path,
        data_dir: &Path,
        settings: &[(&'static str, String)],
    ) -> Result<Self> {
        let made = command(program)
            .args(["init", "--json", "--data-dir"])
            .arg(data_dir)
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(made.status.success(), "cannot make a data folder");
        let made: Value = serde_json::from_slice(&made.stdout)?;
        let secret = |name: &str| made[name].as_str().map(str::to_owned).context("credentials are missing");
        let mut server = Self {
            program: program.to_owned(),
            data_dir: data_dir.to_owned(),
            settings: settings.to_vec(),
            token: secret("ingest_token")?,
            key: secret("personal_api_key")?,
            running: None,
            client: Client::builder().no_proxy().build()?,
            peak_memory_bytes: None,
        };
        server.serve()?;
        Ok(server)
    }

    fn serve(&mut self) -> Result<()> {
        let mut child = command(&self.program)
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&self.data_dir)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("a server without output")?).lines();
        let url = loop {
            let line = lines.next().context("the server has ended")??;
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        self.running = Some(Running { child, url });
        Ok(())
    }

    /// Sends ready-made bodies of gzipped OTLP, several at a time.
    ///
    /// # Errors
    /// When a request is refused for good.
    pub(super) async fn send(&self, bodies: impl Iterator<Item = Result<Bytes>>) -> Result<Sent> {
        let started = Instant::now();
        let sends = bodies.map(|body| async { self.send_one(body?).await });
        let num_retries = futures::stream::iter(sends)
            .buffer_unordered(NUM_SENDERS)
            .try_fold(0, |sum, more| async move { Ok(sum + more) })
            .await?;
        Ok(Sent { elapsed: started.elapsed(), num_retries })
    }

    /// Sends one body, as often as it is told to come again, and returns how often that was.
    ///
    /// # Errors
    /// When it is refused for good.
    pub(super) async fn send_one(&self, body: Bytes) -> Result<u64> {
        let url = format!("{}/v1/logs", self.url()?);
        let mut num_retries = 0;
        loop {
            let request = self.client.post(&url).bearer_auth(&self.token).body(body.clone());
            let request =
                request.header("content-type", "application/x-protobuf").header("content-encoding", "gzip");
            let response = request.send().await?;
            match response.status() {
                StatusCode::OK => {
                    let reply = response.bytes().await?;
                    ensure!(reply.is_empty(), "some records were rejected");
                    return Ok(num_retries);
                }
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    num_retries += 1;
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                status => bail!("{status}: {}", response.text().await?),
            }
        }
    }

    /// Asks, and returns the time until the whole reply was there with the reply.
    ///
    /// # Errors
    /// When the answer is no success.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Duration, Value)> {
        let url = format!("{}/api/projects/@current/{path}", self.url()?);
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let started = Instant::now();
        let response = request.send().await?;
        let status = response.status();
        let reply = response.bytes().await?;
        let elapsed = started.elapsed();
        ensure!(status.is_success(), "{status} of {path}: {}", String::from_utf8_lossy(&reply));
        Ok((elapsed, serde_json::from_slice(&reply)?))
    }

    /// Stops the server, which makes data files of everything, and starts it again.
    ///
    /// # Errors
    /// When it does not end well.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.serve()
    }

    /// Waits until no merge is due, and nothing that was merged is still on the disk.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) async fn settle(&self) -> Result<()> {
        loop {
            let text = self.client.get(format!("{}/metrics", self.url()?)).send().await?.text().await?;
            let number = |name: &str| -> Result<u64> {
                let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                Ok(value.with_context(|| format!("no number {name}"))?.parse()?)
            };
            let is_merged = number("timberline_compaction_waiting_bytes")? == 0;
            let num_files = FolderSize::of(&self.data_dir).map(|size| size.data_files.num_files);
            // A file may go while it is counted.
            if is_merged && num_files.ok() == Some(number("timberline_data_files")?) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops the server.
    ///
    /// # Errors
    /// When it does not end well.
    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        self.peak_memory_bytes = self.peak_memory_bytes.max(peak_memory_bytes_of(running.child.id()));
        let process = running.child.id().to_string();
        Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &process]).status()?;
        let status = running.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// The id of its process, while it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// The most memory it has had resident in its lives so far, bytes.
    pub(super) fn peak_memory_bytes(&self) -> Option<u64> {
        let now = self.running.as_ref().and_then(|running| peak_memory_bytes_of(running.child.id()));
        self.peak_memory_bytes.max(now)
    }

    fn url(&self) -> Result<&str> {
        Ok(&self.running.as_ref().context("the server does not run")?.url)
    }
}

impl Drop for Timberline {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            // It may have ended already, and nobody is left to be told.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// The server's program, without the settings of whoever measures.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("timberline").env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
