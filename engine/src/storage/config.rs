//! Where objects are kept and how patiently: plain data, and what it means.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use object_store::path::Path;

use super::remote_builder::is_option_known;
use crate::error::{Error, Result};

/// Where objects are kept, and what that may cost.
#[derive(Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`; the data folder
    /// when absent.
    pub url: Option<String>,
    /// What the store's client is told beside the address, by the names of its environment variables in any case:
    /// keys, region, endpoint. Values are secrets and are never printed.
    pub options: Vec<(String, String)>,
    /// Longest time of one request, with its body.
    pub request_timeout: Duration,
    /// Longest time until a connection stands.
    pub connect_timeout: Duration,
    /// How often one request is repeated when the store fails or is busy.
    pub max_retries: usize,
    /// Time after which a request is not repeated any more.
    pub retry_timeout: Duration,
    /// Most bytes of a remote store's objects that are kept on the local disk; 0 keeps none.
    pub cache_bytes: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            url: None,
            options: Vec::new(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            max_retries: 5,
            retry_timeout: Duration::from_secs(60),
            cache_bytes: 10 << 30,
        }
    }
}

impl fmt::Debug for StorageConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("StorageConfig")
            .field("url", &self.url)
            .field("options", &options)
            .field("request_timeout", &self.request_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_retries", &self.max_retries)
            .field("retry_timeout", &self.retry_timeout)
            .field("cache_bytes", &self.cache_bytes)
            .finish()
    }
}

impl StorageConfig {
    /// The defaults for an address.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::default() }
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// `InvalidRequest` naming the setting or the option.
    pub fn validate(&self) -> Result<()> {
        for (name, time) in [
            ("storage.request_timeout", self.request_timeout),
            ("storage.connect_timeout", self.connect_timeout),
            ("storage.retry_timeout", self.retry_timeout),
        ] {
            if time.is_zero() {
                return Err(Error::invalid_request(format!("{name} must be above 0")));
            }
        }
        self.location()?;
        match self.options.iter().find(|(name, _)| !self.accepts_option(name)) {
            Some((name, _)) => Err(Error::invalid_request(format!("storage.options: unknown option {name}"))),
            None => Ok(()),
        }
    }

    /// Whether the store at this address has an option of this name. Folders have none.
    pub fn accepts_option(&self, name: &str) -> bool {
        matches!(self.location(), Ok(Location::Bucket(address)) if is_option_known(address.scheme, name))
    }

    pub(super) fn location(&self) -> Result<Location> {
        self.url.as_deref().map_or(Ok(Location::DataFolder), parse_url)
    }
}

/// Where objects are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// The engine's own folder.
    DataFolder,
    /// Another folder.
    Folder(PathBuf),
    /// A bucket of a remote store.
    Bucket(BucketAddress),
}

/// The kinds of remote stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    S3,
    Google,
    Azure,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

/// A bucket and the place in it. Shown as its URL, which holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketAddress {
    pub(super) scheme: Scheme,
    pub(super) bucket: String,
    pub(super) prefix: Path,
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.bucket)?;
        if self.prefix.as_ref().is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

fn parse_url(url: &str) -> Result<Location> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(invalid("it must be an address like s3://bucket/prefix or file:///folder"));
    };
    match scheme {
        "file" => folder(rest),
        "s3" => bucket(Scheme::S3, rest),
        "gs" => bucket(Scheme::Google, rest),
        "az" => bucket(Scheme::Azure, rest),
        _ => Err(invalid(&format!("unknown scheme {scheme:?}; there are s3, gs, az and file"))),
    }
}

fn folder(rest: &str) -> Result<Location> {
    let path = rest.strip_prefix('/').map(Path::from_url_path);
    match path {
        Some(Ok(path)) if !path.as_ref().is_empty() => {
            Ok(Location::Folder(PathBuf::from(format!("/{path}"))))
        }
        _ => Err(invalid("a folder must be an absolute path, like file:///var/lib/timberline")),
    }
}

fn bucket(scheme: Scheme, rest: &str) -> Result<Location> {
    // Such an address may hold a secret, so that it is not repeated.
    if rest.contains(['@', '?', '#']) {
        return Err(invalid("it must have neither user nor query nor fragment; keys are options"));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
    };
    if !is_name(bucket) {
        return Err(invalid(&format!("{bucket:?} cannot be the name of a bucket")));
    }
    let prefix = Path::from_url_path(prefix.trim_end_matches('/'))
        .map_err(|error| invalid("the part behind the bucket is not a path").with_source(error))?;
    Ok(Location::Bucket(BucketAddress { scheme, bucket: bucket.to_owned(), prefix }))
}

fn invalid(reason: &str) -> Error {
    Error::invalid_request(format!("storage.url: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> String {
        match StorageConfig::at(url).location().unwrap() {
            Location::Bucket(address) => address.to_string(),
            Location::Folder(folder) => folder.display().to_string(),
            Location::DataFolder => String::new(),
        }
    }

    #[test]
    fn an_address_names_a_bucket_or_a_folder() {
        for (url, expected) in [
            ("s3://logs", "s3://logs"),
            ("s3://logs/", "s3://logs"),
            ("s3://my-logs.eu/a/b/", "s3://my-logs.eu/a/b"),
            ("gs://logs/a", "gs://logs/a"),
            ("az://container/a", "az://container/a"),
            ("file:///srv/time%20line", "/srv/time line"),
        ] {
            assert_eq!(address(url), expected);
        }
        assert_eq!(StorageConfig::default().location().unwrap(), Location::DataFolder);
    }

    #[test]
    fn a_wrong_address_is_refused_and_tells_no_secret() {
        for url in [
            "logs",
            "http://logs/secret",
            "s3://",
            "s3:///a",
            "s3://key:secret@logs",
            "az://logs/a?sig=secret",
            "s3://lo gs",
            "s3://logs/a//b",
            "file://host/a",
            "file:///",
        ] {
            let error = StorageConfig::at(url).validate().expect_err(url).to_string();
            assert!(error.starts_with("storage.url: "), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn an_unknown_option_is_named_and_its_value_is_not() {
        let option = |name: &str| (name.to_owned(), "hush-hush".to_owned());
        let config = |name| StorageConfig { options: vec![option(name)], ..StorageConfig::at("s3://logs") };
        let error = config("aws_acces_key_id").validate().unwrap_err().to_string();
        assert_eq!(error, "storage.options: unknown option aws_acces_key_id");
        config("AWS_ACCESS_KEY_ID").validate().unwrap();
        assert!(config("google_service_account").validate().is_err(), "an option of another store");
        assert!(!format!("{:?}", config("aws_access_key_id")).contains("hush"));
        let folder = StorageConfig { options: vec![option("aws_region")], ..StorageConfig::default() };
        assert!(folder.validate().is_err(), "a folder has no options");
    }

    #[test]
    fn a_time_of_zero_is_refused() {
        let config = StorageConfig { request_timeout: Duration::ZERO, ..StorageConfig::default() };
        assert_eq!(config.validate().unwrap_err().to_string(), "storage.request_timeout must be above 0");
    }
}
