//! Passwords: argon2id, away from the threads that serve requests.
//!
//! One hash takes tens of milliseconds and 19 MiB, so few run at a time, and few may wait for them.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::secret::Secret;

/// Fewest characters of a password.
pub const MIN_CHARS: usize = 8;
/// Most bytes of a password.
pub const MAX_BYTES: usize = 512;

/// What a password is compared with when there is nothing to compare it with: takes as long, and no password matches.
const OF_NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

static RUNNING: Semaphore = Semaphore::const_new(2);
static UNDER_WAY: Semaphore = Semaphore::const_new(64);

/// Why a password cannot be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many others are being.
    #[error("too many passwords are being checked")]
    Busy,
    /// A hash cannot be made or read.
    #[error("a password cannot be hashed: {0}")]
    Hash(#[from] Error),
    /// The operating system gave no random bytes.
    #[error("cannot get random bytes for a password's salt: {0}")]
    Random(#[from] getrandom::Error),
    /// The process is ending.
    #[error("a password was not hashed to the end")]
    Stopped,
}

/// The hash of a password with a new salt, as PHC text.
///
/// # Errors
/// When too many wait, or the operating system gives no random bytes.
pub async fn hash(password: &Secret) -> Result<String, PasswordError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)?;
    let password = password.clone();
    let work = move || argon2id().hash_password_with_salt(password.reveal().as_bytes(), &salt);
    let hash: PasswordHash = away(work).await??;
    Ok(hash.to_string())
}

/// Whether a password is the one that was hashed; without a hash it never is, after the same time.
///
/// # Errors
/// When too many wait, or the hash is none.
pub async fn verify(password: &Secret, hash: Option<&str>) -> Result<bool, PasswordError> {
    let has_hash = hash.is_some();
    let hash = PasswordHash::new(hash.unwrap_or(OF_NOBODY)).map_err(|_| Error::EncodingInvalid)?;
    let password = password.clone();
    match away(move || argon2id().verify_password(password.reveal().as_bytes(), &hash)).await? {
        Ok(()) => Ok(has_hash),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The parameters that OWASP recommends: 19 MiB, two passes, one lane.
fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// The permit goes with the work: who does not wait for the end does not let another one begin.
async fn away<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
    let _under_way = UNDER_WAY.try_acquire().map_err(|_| PasswordError::Busy)?;
    let running = RUNNING.acquire().await.map_err(|_| PasswordError::Stopped)?;
    let work = move || {
        let _running = running;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| PasswordError::Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let first = hash(&secret("correct horse")).await.unwrap();
        let second = hash(&secret("correct horse")).await.unwrap();
        assert_ne!(first, second, "each has a salt of its own");
        assert!(verify(&secret("correct horse"), Some(&first)).await.unwrap());
        assert!(verify(&secret("correct horse"), Some(&second)).await.unwrap());
        assert!(!verify(&secret("correct horsE"), Some(&first)).await.unwrap());
        assert!(!verify(&secret("correct horse"), None).await.unwrap());
        assert!(verify(&secret("x"), Some("plain")).await.is_err());
    }

    #[tokio::test]
    async fn comparing_with_nothing_takes_the_same_work() {
        let made = hash(&secret("correct horse")).await.unwrap();
        let costs = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(costs(&made).as_deref(), Some("$argon2id$v=19$m=19456,t=2,p=1"));
        assert_eq!(costs(OF_NOBODY), costs(&made));
        assert_eq!(OF_NOBODY.len(), made.len());
    }
}
