//! Secrets: how keys and tokens are made, hashed, compared and masked.
//!
//! Keys and tokens are 256 random bits, so a plain SHA-256 is hash enough: there is nothing to guess.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Prefix of personal API keys, which read and manage.
pub const PERSONAL_API_KEY_PREFIX: &str = "phx_";
/// Prefix of the secrets in invitations.
pub const INVITE_PREFIX: &str = "tli_";
/// Prefix of the secrets of sessions.
pub const SESSION_PREFIX: &str = "tls_";
/// Prefix of project tokens, which send.
pub const PROJECT_TOKEN_PREFIX: &str = "phc_";

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 43 characters of base 62 carry 256.03 bits.
const NUM_RANDOM_CHARS: usize = 43;

/// A key or token in clear text; its debug form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Makes a new secret with a prefix.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub fn generate(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut text = String::with_capacity(prefix.len() + NUM_RANDOM_CHARS);
        text.push_str(prefix);
        while text.len() < prefix.len() + NUM_RANDOM_CHARS {
            let mut bytes = [0; 64];
            getrandom::fill(&mut bytes)?;
            // 248 is the largest multiple of 62 in a byte: what lies beyond would favour some characters.
            let fair = bytes.iter().filter(|byte| **byte < 248);
            let missing = prefix.len() + NUM_RANDOM_CHARS - text.len();
            text.extend(fair.take(missing).map(|byte| char::from(BASE62[usize::from(*byte % 62)])));
        }
        Ok(Self(text))
    }

    /// A secret that somebody else has made.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The clear text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a key or token, lower-case hex: what is stored and looked up.
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two hashes are equal, in a time that does not depend on where they differ.
pub fn hashes_are_equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// What of a secret may be shown: its prefix and its last four characters.
pub fn mask(secret: &str) -> String {
    match (secret.get(..4), secret.len().checked_sub(4).and_then(|start| secret.get(start..))) {
        (Some(first), Some(last)) if secret.len() >= 16 => format!("{first}********{last}"),
        _ => "********".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_prefixed_alphanumeric_and_different() {
        let one = Secret::generate(PERSONAL_API_KEY_PREFIX).unwrap();
        let two = Secret::generate(PERSONAL_API_KEY_PREFIX).unwrap();
        assert_ne!(one, two);
        assert_eq!(one.reveal().len(), 47);
        let random = one.reveal().strip_prefix("phx_").unwrap();
        assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
    }

    #[test]
    fn a_secret_hides_in_debug_output() {
        let secret = Secret::generate(PROJECT_TOKEN_PREFIX).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(hashes_are_equal(&hash("abc"), &hash("abc")));
        assert!(!hashes_are_equal(&hash("abc"), &hash("abd")));
    }

    #[test]
    fn a_mask_shows_the_ends_of_long_secrets_only() {
        assert_eq!(mask("phx_0123456789abcdef"), "phx_********cdef");
        assert_eq!(mask("short"), "********");
        assert_eq!(mask("ü"), "********");
    }
}
