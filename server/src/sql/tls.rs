//! Certificates of the doors that have listeners of their own.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate with those that vouch for it, and its key, as they were read.
pub(crate) struct Certificate {
    chain_pem: Vec<u8>,
    key_pem: Vec<u8>,
}

/// Says nothing of the key.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate(..)")
    }
}

impl Certificate {
    /// Reads two PEM files, and looks whether they go together.
    ///
    /// # Errors
    /// When a file cannot be read, or is not what it should be.
    pub(crate) fn read(chain: &Path, key: &Path) -> io::Result<Self> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let certificate = Self { chain_pem: read(chain)?, key_pem: read(key)? };
        certificate.server_config()?;
        Ok(certificate)
    }

    pub(super) fn chain_pem(&self) -> &[u8] {
        &self.chain_pem
    }

    pub(super) fn key_pem(&self) -> &[u8] {
        &self.key_pem
    }

    /// What speaks TLS on a connection of PostgreSQL's protocol.
    ///
    /// # Errors
    /// When the files are not what they should be.
    pub(super) fn acceptor(&self) -> io::Result<TlsAcceptor> {
        let mut config = self.server_config()?;
        // Asked of clients that begin with TLS at once.
        config.alpn_protocols = vec![super::postgres::ALPN.to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn server_config(&self) -> io::Result<ServerConfig> {
        let invalid = |what: &str, error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{what}: {error}"))
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.chain_pem)
            .collect::<Result<_, _>>()
            .map_err(|error| invalid("the TLS certificate is no PEM file", &error))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key_pem)
            .map_err(|error| invalid("the TLS key is no PEM file", &error))?;
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| invalid("the TLS certificate and its key do not go together", &error))
    }
}
