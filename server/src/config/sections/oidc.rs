//! `oidc`: the provider that users sign on with.

use uuid::Uuid;

use crate::config::setting::{Setting, address, parse, unless_none};
use crate::secret::Secret;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "oidc",
        key: "issuer",
        doc: "address of the OpenID Connect provider that users can sign on with, exactly as it names itself, or `none`",
        default: "none",
        apply: |config, text| address(text).map(|value| config.sign_on.issuer = value.unwrap_or_default()),
    },
    Setting {
        section: "oidc",
        key: "client_id",
        doc: "what the provider calls this server, or `none`",
        default: "none",
        apply: |config, text| {
            config.sign_on.client_id = unless_none(text).unwrap_or_default();
            Ok(())
        },
    },
    Setting {
        section: "oidc",
        key: "client_secret",
        doc: "by which this server shows the provider who it is, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| {
            config.sign_on.client_secret = unless_none(text).map(Secret::new);
            Ok(())
        },
    },
    Setting {
        section: "oidc",
        key: "email_domains",
        doc: "the only domains whose e-mail addresses may sign on, joined by commas, or `none` for every domain",
        default: "none",
        apply: |config, text| {
            let domains = unless_none(text).map(|text| domains(&text)).transpose();
            domains.map(|domains| config.sign_on.email_domains = domains.unwrap_or_default())
        },
    },
    Setting {
        section: "oidc",
        key: "organization",
        doc: "UUID of the organization that somebody who is no user yet joins by signing on, or `none`: then only users \
              sign on",
        default: "none",
        apply: |config, text| {
            let id = unless_none(text).map(|text| parse::<Uuid>(&text, "a UUID, or none")).transpose();
            id.map(|id| config.sign_on.organization = id.map(|id| id.to_string()))
        },
    },
];

/// A list without a domain would let every one in, which nobody means who writes one.
fn domains(text: &str) -> Result<Vec<String>, String> {
    let domains: Vec<String> = text.split(',').map(|domain| domain.trim().to_lowercase()).collect();
    let is_domain = |domain: &String| !domain.is_empty() && !domain.contains('@');
    if domains.iter().all(is_domain) {
        return Ok(domains);
    }
    Err(format!("{text:?} is not a list of domains joined by commas, like example.org, or none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_a_list_is_a_domain() {
        assert_eq!(domains("Example.org, b.example").unwrap(), ["example.org", "b.example"]);
        for text in [",", "example.org,", "@example.org", "ann@example.org"] {
            assert!(domains(text).is_err(), "{text}");
        }
    }
}
