//! The address of a server, which may have a password in it, and requests to it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

use super::lines::STREAM_FIELD;
use super::metrics::Metrics;

/// The longest replies have some thousand lines; a longer one is no answer to what was asked.
const MAX_REPLY_BYTES: usize = 64 << 20;
/// So much of a refusal is shown.
const MAX_SHOWN_BYTES: usize = 500;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Of a whole request, in which a server may be asked something that it is slow at.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);

/// The address of a server. Shown without its user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct VictoriaLogsUrl(Url);

impl FromStr for VictoriaLogsUrl {
    type Err = anyhow::Error;

    /// # Errors
    /// When it is no address of a server. The error does not repeat it.
    fn from_str(text: &str) -> Result<Self> {
        let url: Url = text.parse().context("the address of VictoriaLogs is no URL")?;
        let is_http = matches!(url.scheme(), "http" | "https");
        ensure!(is_http, "the address of VictoriaLogs must begin with http:// or https://");
        let is_bare = url.query().is_none() && url.fragment().is_none();
        ensure!(is_bare, "the address of VictoriaLogs must have no ? and no #");
        Ok(Self(url))
    }
}

impl VictoriaLogsUrl {
    fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for VictoriaLogsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.0.clone();
        // They fail for addresses that cannot have either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        f.write_str(url.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for VictoriaLogsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A server, and the tenant of this run.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: VictoriaLogsUrl,
    client: Client,
    tenant: (u32, u32),
}

impl Server {
    /// With a tenant that is named after the time.
    pub(super) fn new(url: VictoriaLogsUrl) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(Self { url, client, tenant: (now.as_secs() as u32, now.subsec_nanos()) })
    }

    /// Sends rows.
    pub(super) async fn insert(&self, body: Bytes) -> Result<()> {
        let mut url = self.url.join("insert/jsonline");
        url.query_pairs_mut().append_pair("_stream_fields", STREAM_FIELD);
        let request = self.client.post(url).header("content-type", "application/stream+json");
        let request = request.header("content-encoding", "gzip").body(body);
        self.send(request).await.with_context(|| format!("cannot send rows to {}", self.url))?;
        Ok(())
    }

    /// Lets rows that were sent be found.
    pub(super) async fn flush(&self) -> Result<()> {
        let request = self.client.post(self.url.join("internal/force_flush"));
        self.send(request).await.with_context(|| format!("cannot flush {}", self.url))?;
        Ok(())
    }

    /// Asks, and returns the time until the whole reply was there.
    pub(super) async fn query(&self, logsql: &str) -> Result<(Duration, Vec<u8>)> {
        let request = self.client.post(self.url.join("select/logsql/query")).form(&[("query", logsql)]);
        self.send(request).await.with_context(|| format!("cannot ask {}: {logsql}", self.url))
    }

    /// What it tells of itself, which may be nothing.
    pub(super) async fn metrics(&self) -> Metrics {
        let told = self.send(self.client.get(self.url.join("metrics"))).await;
        told.map(|(_, text)| Metrics::of(&String::from_utf8_lossy(&text))).unwrap_or_default()
    }

    async fn send(&self, request: RequestBuilder) -> Result<(Duration, Vec<u8>)> {
        let request = request.header("AccountID", self.tenant.0).header("ProjectID", self.tenant.1);
        let started = Instant::now();
        // The address may have a password in it.
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let (status, mut reply) = (response.status(), Vec::new());
        while let Some(part) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            reply.extend_from_slice(&part);
            ensure!(reply.len() <= MAX_REPLY_BYTES, "its reply has more than {MAX_REPLY_BYTES} bytes");
        }
        let elapsed = started.elapsed();
        let shown = &reply[..reply.len().min(MAX_SHOWN_BYTES)];
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(shown).trim());
        Ok((elapsed, reply))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let url: VictoriaLogsUrl = "https://reader:hunter2@logs.example:9428/vl/".parse().unwrap();
        assert_eq!(url.to_string(), "https://logs.example:9428/vl");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(url.join("metrics").path(), "/vl/metrics");
        for wrong in ["hunter2", "ftp://u:hunter2@h/", "http://u:hunter2@h/?a=b", "http://u:hunter2@/"] {
            let error = wrong.parse::<VictoriaLogsUrl>().unwrap_err();
            assert!(!format!("{error:#}").contains("hunter2"), "{error:#}");
        }
    }
}
