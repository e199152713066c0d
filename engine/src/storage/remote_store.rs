//! A store behind a network: its failures say which store it was and never a secret.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryFutureExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

use super::config::StorageConfig;
use super::layer::StoreLayer;

/// Longest text of a failure. Stores answer with whole pages.
const MAX_REASON_BYTES: usize = 400;

/// What must not be printed.
#[derive(Clone)]
pub(super) struct Secrets(Arc<Vec<String>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// The values of all options: which of them are secret differs from store to store. Very short ones, like
    /// `true`, are no secrets and may be part of any text.
    pub(super) fn of(config: &StorageConfig) -> Self {
        let values = config.options.iter().map(|(_, value)| value.clone());
        Self(Arc::new(values.filter(|value| value.len() > 5).collect()))
    }

    /// One bounded line without secrets.
    pub(super) fn hide(&self, text: &str) -> String {
        let hidden = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
        let mut line = hidden.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.len() > MAX_REASON_BYTES {
            let end = (0..=MAX_REASON_BYTES).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
            line.truncate(end);
            line.push('…');
        }
        line
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{store}: {reason}")]
pub(super) struct RemoteError {
    store: Arc<str>,
    reason: String,
    /// Whether it will not do it later either: credentials, permissions, a bucket that does not exist.
    pub(super) is_lasting: bool,
}

/// The remote store under a name.
pub(super) struct RemoteStore {
    below: Arc<dyn ObjectStore>,
    failures: Failures,
}

impl RemoteStore {
    pub(super) fn new(name: String, secrets: Secrets, below: Arc<dyn ObjectStore>) -> Self {
        Self { below, failures: Failures { name: name.into(), secrets } }
    }
}

/// Says nothing of the client, which knows secrets.
impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteStore({})", self.failures.name)
    }
}

impl fmt::Display for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failures.name)
    }
}

/// Makes failures of one store presentable.
#[derive(Clone, Debug)]
struct Failures {
    name: Arc<str>,
    secrets: Secrets,
}

impl Failures {
    fn present(&self, error: Error) -> Error {
        let text = error.to_string();
        // Failures of lists, for one, tell their status in words only: its type is the client's own.
        let is_refusal = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
            || ["status code: 401", "status code: 403"].iter().any(|status| text.contains(status));
        let is_bucket_missing = ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
            .iter()
            .any(|code| text.contains(code));
        let source = |reason: String, is_lasting| {
            Box::new(RemoteError { store: Arc::clone(&self.name), reason, is_lasting })
        };
        if is_bucket_missing {
            return Error::Generic {
                store: "remote",
                source: source("there is no such bucket".into(), true),
            };
        }
        match error {
            Error::NotFound { path, .. } => {
                Error::NotFound { path, source: source("there is no such object".into(), false) }
            }
            _ if is_refusal => Error::Generic { store: "remote", source: source(refusal(&text), true) },
            _ => Error::Generic { store: "remote", source: source(self.secrets.hide(&text), false) },
        }
    }

    fn present_stream<T: Send + 'static>(
        &self,
        stream: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let failures = self.clone();
        stream.map(move |item| item.map_err(|error| failures.present(error))).boxed()
    }

    async fn present_result<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        work.await.map_err(|error| self.present(error))
    }
}

/// Why a store refused. Its answer names the access key and more, so that only its code is told.
fn refusal(text: &str) -> String {
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    match code {
        Some((code, _)) if code.len() < 100 && code.chars().all(char::is_alphanumeric) => {
            format!("it refuses the credentials or what they ask for ({code})")
        }
        _ => "it refuses the credentials or what they ask for".to_owned(),
    }
}

impl StoreLayer for RemoteStore {
    fn below(&self) -> &Arc<dyn ObjectStore> {
        &self.below
    }

    fn put<'a>(
        &'a self,
        path: &'a Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> BoxFuture<'a, Result<PutResult>> {
        self.failures.present_result(self.below.put_opts(path, payload, options)).boxed()
    }

    fn put_multipart<'a>(
        &'a self,
        path: &'a Path,
        options: PutMultipartOptions,
    ) -> BoxFuture<'a, Result<Box<dyn MultipartUpload>>> {
        async move {
            let upload = self.failures.present_result(self.below.put_multipart_opts(path, options)).await?;
            Ok(Box::new(RemoteUpload { upload, failures: self.failures.clone() }) as Box<dyn MultipartUpload>)
        }
        .boxed()
    }

    fn get<'a>(&'a self, path: &'a Path, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        async move {
            let mut result = self.failures.present_result(self.below.get_opts(path, options)).await?;
            if let GetResultPayload::Stream(stream) = result.payload {
                result.payload = GetResultPayload::Stream(self.failures.present_stream(stream));
            }
            Ok(result)
        }
        .boxed()
    }

    fn get_ranges<'a>(
        &'a self,
        path: &'a Path,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        self.failures.present_result(self.below.get_ranges(path, ranges)).boxed()
    }

    fn delete(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.failures.present_stream(self.below.delete_stream(paths))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.failures.present_stream(self.below.list(prefix))
    }

    fn list_folder<'a>(&'a self, prefix: Option<&'a Path>) -> BoxFuture<'a, Result<ListResult>> {
        self.failures.present_result(self.below.list_with_delimiter(prefix)).boxed()
    }
}

#[derive(Debug)]
struct RemoteUpload {
    upload: Box<dyn MultipartUpload>,
    failures: Failures,
}

impl MultipartUpload for RemoteUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let failures = self.failures.clone();
        self.upload.put_part(data).map_err(move |error| failures.present(error)).boxed()
    }

    fn complete<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<PutResult>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let Self { upload, failures } = self;
        async move { failures.present_result(upload.complete()).await }.boxed()
    }

    fn abort<'life0, 'async_trait>(&'life0 mut self) -> BoxFuture<'async_trait, Result<()>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let Self { upload, failures } = self;
        async move { failures.present_result(upload.abort()).await }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures() -> Failures {
        let options = vec![("aws_secret_access_key".to_owned(), "hush-hush".to_owned())];
        let config = StorageConfig { options, ..StorageConfig::at("s3://logs") };
        Failures { name: "s3://logs".into(), secrets: Secrets::of(&config) }
    }

    fn generic(text: impl Into<String>) -> Error {
        Error::Generic { store: "S3", source: text.into().into() }
    }

    #[test]
    fn a_failure_names_the_store_and_hides_secrets() {
        let text = failures().present(generic("sent hush-hush,\n  got nothing")).to_string();
        assert!(text.contains("s3://logs: ") && text.contains("sent ***, got nothing"), "{text}");
        let long = failures().present(generic("ä".repeat(10_000))).to_string();
        assert!(long.len() < 2 * MAX_REASON_BYTES, "{} bytes", long.len());
    }

    #[test]
    fn a_refusal_tells_only_its_code() {
        let body = "<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        let text =
            failures().present(Error::PermissionDenied { path: "a".into(), source: body.into() }).to_string();
        assert!(text.contains("InvalidAccessKeyId") && !text.contains("AKIA"), "{text}");
        let listing = generic(format!("Server returned non-2xx status code: 403 Forbidden: {body}"));
        let text = failures().present(listing).to_string();
        assert!(text.contains("InvalidAccessKeyId") && !text.contains("AKIA"), "{text}");
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let missing =
            |code: &str| Error::NotFound { path: "a".into(), source: format!("<Code>{code}</Code>").into() };
        assert!(matches!(failures().present(missing("NoSuchKey")), Error::NotFound { .. }));
        assert!(matches!(failures().present(missing("NoSuchBucket")), Error::Generic { .. }));
    }
}
