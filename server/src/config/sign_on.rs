//! The provider that users sign on with.

use crate::secret::Secret;

/// The OpenID Connect provider that users sign on with; none without an issuer and a client id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOnConfig {
    /// Its address, exactly as it names itself.
    pub issuer: String,
    /// What the provider calls this server.
    pub client_id: String,
    /// By which this server shows the provider who it is.
    pub client_secret: Option<Secret>,
    /// The only domains whose addresses may sign on, lower case; every domain if there are none.
    pub email_domains: Vec<String>,
    /// UUID of the organization that joins who is no user yet; without it nobody becomes one.
    pub organization: Option<String>,
}

impl SignOnConfig {
    /// Whether there is a provider.
    pub fn is_configured(&self) -> bool {
        !self.issuer.is_empty() && !self.client_id.is_empty()
    }

    /// Whether an address is of a domain that may sign on.
    pub fn allows(&self, email: &str) -> bool {
        let domain = email.rsplit('@').next().unwrap_or_default().trim().to_lowercase();
        self.email_domains.is_empty() || self.email_domains.contains(&domain)
    }
}
