//! Clients of remote stores, made from settings alone: the environment is not read here.

use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::SpawnedReqwestConnector;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use tokio::runtime::Handle;

use super::config::{BucketAddress, Scheme, StorageConfig};
use super::layer::Layered;
use super::remote_store::{RemoteStore, Secrets};
use crate::error::{Error, Result};

/// Whether a kind of store has an option of this name.
pub(super) fn is_option_known(scheme: Scheme, name: &str) -> bool {
    match scheme {
        Scheme::S3 => option_key::<AmazonS3ConfigKey>(name).is_ok(),
        Scheme::Google => option_key::<GoogleConfigKey>(name).is_ok(),
        Scheme::Azure => option_key::<AzureConfigKey>(name).is_ok(),
    }
}

/// A builder with all that the settings say. The three builders have these methods in common but no trait.
macro_rules! configure {
    ($builder:ident, $key:ident, $config:expr) => {{
        let config: &StorageConfig = $config;
        let mut builder = $builder::new()
            .with_client_options(client_options(config))
            .with_retry(retry_config(config))
            .with_http_connector(SpawnedReqwestConnector::new(Handle::current()));
        for (name, value) in &config.options {
            builder = builder.with_config(option_key::<$key>(name)?, value);
        }
        builder
    }};
}

/// Makes the client of a bucket. Asks nothing of the network.
///
/// Its connections live on the runtime that this is called on, whoever uses them. On the runtime of a query or of
/// compaction they would wait for its computations, and others that share them too.
///
/// # Errors
/// `InvalidRequest` naming the option that is unknown, or the store whose options do not go together.
pub(super) fn build_remote_store(
    address: &BucketAddress,
    config: &StorageConfig,
) -> Result<Arc<dyn ObjectStore>> {
    refuse_plain_http(config)?;
    let secrets = Secrets::of(config);
    let refused = |error: object_store::Error| {
        let reason = secrets.hide(&error.to_string());
        Error::invalid_request(format!("storage.options: {address} cannot be used: {reason}"))
    };
    let bucket = address.bucket.as_str();
    let store: Arc<dyn ObjectStore> = match address.scheme {
        Scheme::S3 => {
            let builder = configure!(AmazonS3Builder, AmazonS3ConfigKey, config).with_bucket_name(bucket);
            let builder = builder.with_conditional_put(S3ConditionalPut::Disabled);
            Arc::new(builder.build().map_err(refused)?)
        }
        Scheme::Google => {
            let builder = configure!(GoogleCloudStorageBuilder, GoogleConfigKey, config);
            Arc::new(builder.with_bucket_name(bucket).build().map_err(refused)?)
        }
        Scheme::Azure => {
            let builder = configure!(MicrosoftAzureBuilder, AzureConfigKey, config);
            Arc::new(builder.with_container_name(bucket).build().map_err(refused)?)
        }
    };
    let store = match address.prefix.as_ref() {
        "" => store,
        _ => Arc::new(PrefixStore::new(store, address.prefix.clone())),
    };
    Ok(Arc::new(Layered(RemoteStore::new(address.to_string(), secrets, store))))
}

fn option_key<K: FromStr>(name: &str) -> Result<K> {
    let key = name.to_ascii_lowercase().parse();
    key.map_err(|_| Error::invalid_request(format!("storage.options: unknown option {name}")))
}

fn client_options(config: &StorageConfig) -> ClientOptions {
    ClientOptions::new().with_timeout(config.request_timeout).with_connect_timeout(config.connect_timeout)
}

fn retry_config(config: &StorageConfig) -> RetryConfig {
    RetryConfig {
        max_retries: config.max_retries,
        retry_timeout: config.retry_timeout,
        ..RetryConfig::default()
    }
}

/// Keys and logs must not cross a network in the clear by accident. The client refuses that too, but says so in
/// words that nobody connects with the setting.
fn refuse_plain_http(config: &StorageConfig) -> Result<()> {
    let is_address = |name: &str| {
        let is_address = ["endpoint", "endpoint_url", "endpoint_url_s3", "base_url"];
        let is_of_the_machine = ["metadata", "msi", "identity"];
        is_address.iter().any(|end| name.ends_with(end))
            && !is_of_the_machine.iter().any(|part| name.contains(part))
    };
    let option = |matches: &dyn Fn(&str, &str) -> bool| {
        config.options.iter().find(|(name, value)| matches(&name.to_ascii_lowercase(), value))
    };
    let is_yes = |value: &str| ["1", "true", "on", "yes", "y"].contains(&value.to_ascii_lowercase().as_str());
    let allowed = option(&|name, value| name.ends_with("allow_http") && is_yes(value)).is_some();
    match option(&|name, value| is_address(name) && value.starts_with("http://")) {
        Some((name, _)) if !allowed => Err(Error::invalid_request(format!(
            "storage.options: {name} begins with http://, which is not encrypted; allow_http = true permits it"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::config::Location;

    fn build(url: &str, options: &[(&str, &str)]) -> Result<String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = StorageConfig { options: options.collect(), ..StorageConfig::at(url) };
        let Location::Bucket(address) = config.location()? else { panic!("{url} is not a bucket") };
        Ok(format!("{:?}", build_remote_store(&address, &config)?))
    }

    #[tokio::test]
    async fn every_kind_of_store_is_made_from_options_and_shows_no_secret() {
        let key = "c2VjcmV0LXNlY3JldA==";
        for (url, options) in [
            ("s3://logs/a", vec![("AWS_ACCESS_KEY_ID", "id"), ("aws_secret_access_key", key)]),
            ("gs://logs/a", vec![("google_skip_signature", "true")]),
            ("az://logs/a", vec![("azure_storage_account_name", "me"), ("azure_storage_account_key", key)]),
        ] {
            let shown = build(url, &options).unwrap();
            assert!(shown.contains(url) && !shown.contains(key), "{shown}");
        }
    }

    #[tokio::test]
    async fn options_that_cannot_work_are_refused_without_their_values() {
        let keys = |endpoint| {
            [
                ("aws_access_key_id", "id"),
                ("aws_secret_access_key", "hush-hush"),
                ("aws_endpoint", endpoint),
                ("aws_virtual_hosted_style_request", "perhaps-not"),
            ]
        };
        for options in [&keys("http://127.0.0.1:1")[..], &keys("https://127.0.0.1:1")[..]] {
            let error = build("s3://logs", options).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("storage.options: "), "{text}");
            assert!(!text.contains("hush") && !text.contains("perhaps"), "{text}");
        }
        assert!(
            build("s3://logs", &keys("http://127.0.0.1:1")).unwrap_err().to_string().contains("aws_endpoint")
        );
        assert!(
            build("s3://logs", &[("aws_secret_access_key", "hush-hush")]).is_err(),
            "half of a pair of keys"
        );
    }
}
