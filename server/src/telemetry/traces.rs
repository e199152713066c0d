//! The server's own traces, sent to an OpenTelemetry collector where the settings name one.
//!
//! Spans are those of the log; this layer takes the ones of the server and the engine, with the warnings inside them.
//! They wait in a queue that has an end and leave from a thread of their own, so that no request waits for a
//! collector; what does not fit is dropped, and the log says so.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::config::TracesConfig;

/// Longest time of one request to the collector, with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for what has not been sent.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer, which tells what the collector did not take.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// What the collector is told about who calls.
const SERVICE_NAME: &str = "timberline";

/// Sends spans until it is closed.
#[derive(Debug)]
pub(crate) struct TraceExport {
    provider: SdkTracerProvider,
}

impl TraceExport {
    /// None when the settings name no collector. Needs a runtime, which its connections belong to.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the collector's address or a header is none.
    pub(crate) fn start(config: &TracesConfig) -> Result<Option<Self>, ExporterBuildError> {
        let Some(endpoint) = &config.endpoint else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new()?)
            .with_endpoint(endpoint)
            .with_headers(config.headers.reveal().into_iter().collect())
            .with_timeout(REQUEST_TIMEOUT)
            .build()?;
        let resource = Resource::builder()
            .with_service_name(SERVICE_NAME)
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let ratio = Sampler::TraceIdRatioBased(config.sample_ratio);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .with_sampler(Sampler::ParentBased(Box::new(ratio)))
            .build();
        Ok(Some(Self { provider }))
    }

    /// What hands spans to it.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // What libraries do inside is not told, least of all what sends this.
        let ours =
            Targets::new().with_target("server", LevelFilter::INFO).with_target("engine", LevelFilter::INFO);
        tracing_opentelemetry::layer().with_tracer(self.provider.tracer(SERVICE_NAME)).with_filter(ours)
    }

    /// Sends what waits, and no more.
    pub(crate) async fn close(self) {
        // It waits for its thread.
        let closing = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(LAST_TIMEOUT));
        if let Ok(Err(error)) = closing.await {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The connection to the collector.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
}

impl Collector {
    fn new() -> Result<Self, ExporterBuildError> {
        let client = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            // Whoever is redirected to would get the headers.
            .redirect(Policy::none())
            .build()
            .map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        // Who calls is a thread outside of the runtime.
        self.runtime.spawn(async move { send(&client, request).await }).await?
    }
}

async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}
