//! The server's secret key: secrets that must be read again, like tokens of other services, are stored encrypted
//! with it.
//!
//! The key is a setting, or a file in the data folder that is made when it is first needed. What is encrypted is bound
//! to its place by a context, so that it cannot be moved to another row.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::secret::Secret;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "secret.key";

const KEY_BYTES: usize = 32;
/// What sealed texts begin with: the version of the form.
const VERSION: &str = "v1:";

/// The key; its debug form hides it.
pub struct SecretKey(LessSafeKey);

/// Why there is no key, or it opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The text is no key.
    #[error("the secret key must be 64 hexadecimal digits")]
    Form,
    /// The file cannot be read or made.
    #[error("cannot read or make {FILE_NAME} in the data folder: {0}")]
    File(#[from] io::Error),
    /// The operating system gave no random bytes.
    #[error("cannot get random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// What is to be opened was not sealed with this key, or has been changed.
    #[error("a stored secret was encrypted with another secret key")]
    Unsealing,
}

impl SecretKey {
    /// The key of the settings, or else of the file in the data folder, which is made when it does not exist.
    ///
    /// # Errors
    /// When the text is no key, or the file cannot be read or made.
    pub fn open(given: Option<&Secret>, data_dir: &Path) -> Result<Self, SecretKeyError> {
        match given {
            Some(text) => Self::parse(text.reveal()),
            None => Self::of_file(&data_dir.join(FILE_NAME)),
        }
    }

    /// A key from its text.
    ///
    /// # Errors
    /// [`SecretKeyError::Form`].
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        let digits = text.trim().as_bytes();
        let mut bytes = [0; KEY_BYTES];
        if digits.len() != 2 * KEY_BYTES {
            return Err(SecretKeyError::Form);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(SecretKeyError::Form);
            // Two digits of base 16 are at most 255.
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).map_err(|_| SecretKeyError::Form)?;
        }
        UnboundKey::new(&AES_256_GCM, &bytes)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| SecretKeyError::Form)
    }

    fn of_file(path: &Path) -> Result<Self, SecretKeyError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0; KEY_BYTES];
                getrandom::fill(&mut bytes)?;
                let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                write_private(path, &text)?;
                Self::parse(&text)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Encrypts a text for a place, which is to be named in the same way to open it again.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn seal(&self, context: &str, text: &str) -> Result<String, SecretKeyError> {
        // 96 random bits do not repeat within the number of secrets that a server ever stores.
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)?;
        let mut sealed = text.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| SecretKeyError::Unsealing)?;
        let whole = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode(whole)))
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    /// [`SecretKeyError::Unsealing`] when it was sealed with another key or for another place, or was changed.
    pub fn open_sealed(&self, context: &str, sealed: &str) -> Result<String, SecretKeyError> {
        let unsealing = || SecretKeyError::Unsealing;
        let text = sealed.strip_prefix(VERSION).ok_or_else(unsealing)?;
        let whole = STANDARD_NO_PAD.decode(text).map_err(|_| unsealing())?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN).ok_or_else(unsealing)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| unsealing())?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(context.as_bytes()), &mut sealed);
        let opened = opened.map_err(|_| unsealing())?;
        String::from_utf8(opened.to_vec()).map_err(|_| unsealing())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Writes a new file that only its owner reads; it is whole before it has its name.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> SecretKey {
        SecretKey::parse(&digit.repeat(64)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place() {
        let sealed = key("a").seal("here", "xoxb-secret").unwrap();
        assert!(!sealed.contains("xoxb"), "{sealed}");
        assert_ne!(sealed, key("a").seal("here", "xoxb-secret").unwrap(), "each has its own nonce");
        assert_eq!(key("A").open_sealed("here", &sealed).unwrap(), "xoxb-secret");
        for (key, context) in [(key("b"), "here"), (key("a"), "there")] {
            assert!(matches!(key.open_sealed(context, &sealed), Err(SecretKeyError::Unsealing)));
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = key("a").seal("here", "text").unwrap();
        let flipped = if sealed.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{flipped}{}", &sealed[..10], &sealed[11..]);
        let changed =
            if changed == sealed { format!("{}C{}", &sealed[..10], &sealed[11..]) } else { changed };
        for text in [changed.as_str(), "", "v1:", "v1:AAAA", "v2:x", "v1:???", &sealed[..20]] {
            assert!(key("a").open_sealed("here", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        for text in ["", "a", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66), &"ä".repeat(32)] {
            assert!(matches!(SecretKey::parse(text), Err(SecretKeyError::Form)), "{text}");
        }
    }

    #[test]
    fn the_file_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = SecretKey::open(None, folder.path()).unwrap().seal("c", "text").unwrap();
        let again = SecretKey::open(None, folder.path()).unwrap();
        assert_eq!(again.open_sealed("c", &sealed).unwrap(), "text");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let given = Secret::new("c".repeat(64));
        let other = SecretKey::open(Some(&given), folder.path()).unwrap();
        assert!(other.open_sealed("c", &sealed).is_err(), "a key of the settings comes first");
    }
}
