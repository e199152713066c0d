//! Signed ends of an organization's chain.
//!
//! A chain that its holder can compute anew proves little. A checkpoint says that at some time the chain ended with a
//! certain entry; whoever has it, outside of this installation too, can tell whether that is still so. It is signed
//! with Ed25519 over the lines
//!
//! ```text
//! timberline-checkpoint 1
//! <id of the organization>
//! <sequence number of the last entry>
//! <hash of the last entry, hexadecimal>
//! <when it was made, microseconds since 1970>
//! <ingest time that entries are kept from, microseconds since 1970, or ->
//! ```
//!
//! each ended by a line feed. The last line is there when all entries up to the end have expired.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::activity::{ChainHead, Hash};
use engine::clock::Clock;
use engine::schema::OrganizationId;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::trail::TrailError;
use crate::api::iso_time;
use crate::meta::Meta;
use crate::meta::activity::{StoredCheckpoint, StoredSigningKey};

/// What signs checkpoints, with a key that is made when it is first needed.
pub(crate) struct Signer {
    meta: Meta,
    clock: Arc<dyn Clock>,
    key: OnceCell<Ed25519KeyPair>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    pub(crate) fn new(meta: Meta, clock: Arc<dyn Clock>) -> Self {
        Self { meta, clock, key: OnceCell::new() }
    }

    /// Signs an end of a chain and keeps the checkpoint. One that says the same as the last one is not made again.
    ///
    /// # Errors
    /// When the metadata fail or hold a key that is none.
    pub(crate) async fn sign(
        &self,
        organization: OrganizationId,
        end: ChainHead,
        kept_from_us: Option<i64>,
    ) -> Result<StoredCheckpoint, TrailError> {
        if let Some(last) = self.meta.last_checkpoint(&organization.to_string()).await?
            && (last.sequence, &last.hash) == (end.sequence, &hex(&end.hash))
            && (kept_from_us.is_none() || last.kept_from_us == kept_from_us)
        {
            return Ok(last);
        }
        let key = self.key.get_or_try_init(|| self.load_key()).await?;
        let mut checkpoint = StoredCheckpoint {
            organization_id: organization.to_string(),
            sequence: end.sequence,
            hash: hex(&end.hash),
            kept_from_us,
            created_us: self.clock.now_us(),
            public_key: STANDARD.encode(key.public_key().as_ref()),
            signature: String::new(),
        };
        checkpoint.signature = STANDARD.encode(key.sign(signed_text(&checkpoint).as_bytes()).as_ref());
        self.meta.add_checkpoint(&checkpoint).await?;
        Ok(checkpoint)
    }

    /// The last end that a checkpoint tells of; the beginning without any.
    pub(crate) async fn last_end(&self, organization: OrganizationId) -> Result<ChainHead, TrailError> {
        let last = self.meta.last_checkpoint(&organization.to_string()).await?;
        let end =
            last.and_then(|last| Some(ChainHead { sequence: last.sequence, hash: parse_hash(&last.hash)? }));
        Ok(end.unwrap_or_default())
    }

    async fn load_key(&self) -> Result<Ed25519KeyPair, TrailError> {
        let stored = match self.meta.signing_key().await? {
            Some(stored) => stored,
            None => self.meta.keep_signing_key(&new_key()?, self.clock.now_us()).await?,
        };
        let document = STANDARD.decode(&stored.private_key).map_err(|error| signing(&error))?;
        Ed25519KeyPair::from_pkcs8(&document).map_err(|error| signing(&error))
    }
}

fn new_key() -> Result<StoredSigningKey, TrailError> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|error| signing(&error))?;
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|error| signing(&error))?;
    Ok(StoredSigningKey {
        public_key: STANDARD.encode(key.public_key().as_ref()),
        private_key: STANDARD.encode(document.as_ref()),
    })
}

fn signing(error: &dyn std::fmt::Display) -> TrailError {
    TrailError::Signing(error.to_string())
}

/// What a signature is over.
fn signed_text(checkpoint: &StoredCheckpoint) -> String {
    let kept_from = checkpoint.kept_from_us.map_or_else(|| "-".to_owned(), |us| us.to_string());
    format!(
        "timberline-checkpoint 1\n{}\n{}\n{}\n{}\n{kept_from}\n",
        checkpoint.organization_id, checkpoint.sequence, checkpoint.hash, checkpoint.created_us
    )
}

/// Whether the signature of a checkpoint is that of its key.
pub fn is_signed(checkpoint: &StoredCheckpoint) -> bool {
    let decoded =
        STANDARD.decode(&checkpoint.public_key).ok().zip(STANDARD.decode(&checkpoint.signature).ok());
    decoded.is_some_and(|(key, signature)| {
        UnparsedPublicKey::new(&ED25519, key).verify(signed_text(checkpoint).as_bytes(), &signature).is_ok()
    })
}

/// A checkpoint as it is handed out.
pub fn written(checkpoint: &StoredCheckpoint) -> Value {
    json!({
        "version": 1,
        "organization_id": checkpoint.organization_id,
        "sequence": checkpoint.sequence,
        "hash": checkpoint.hash,
        "created_at": iso_time::format(checkpoint.created_us),
        "kept_from": checkpoint.kept_from_us.map(iso_time::format),
        "public_key": checkpoint.public_key,
        "signature": checkpoint.signature,
    })
}

/// Reads what [`written`] makes; none when it is no checkpoint of this version.
pub fn parse(value: &Value) -> Option<StoredCheckpoint> {
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    if value.get("version")?.as_i64()? != 1 {
        return None;
    }
    let kept_from_us = match value.get("kept_from") {
        None | Some(Value::Null) => None,
        Some(instant) => Some(iso_time::parse(instant.as_str()?)?),
    };
    Some(StoredCheckpoint {
        organization_id: text("organization_id")?,
        sequence: value.get("sequence")?.as_i64()?,
        hash: text("hash")?,
        kept_from_us,
        created_us: iso_time::parse(&text("created_at")?)?,
        public_key: text("public_key")?,
        signature: text("signature")?,
    })
}

/// Hexadecimal, lower case.
pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The opposite of [`hex`].
pub(crate) fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let digits = text.as_bytes();
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use engine::clock::ManualClock;
    use uuid::Uuid;

    use super::super::super::meta::testing::on_every_backend;
    use super::*;

    #[tokio::test]
    async fn a_checkpoint_is_signed_and_any_change_of_it_shows() {
        on_every_backend(|meta| async move {
            let signer = Signer::new(meta.clone(), Arc::new(ManualClock::new(5_000_001)));
            let organization = OrganizationId(Uuid::from_u128(7));
            let end = ChainHead { sequence: 3, hash: [171; 32] };
            let signed = signer.sign(organization, end, Some(9)).await.unwrap();
            assert!(is_signed(&signed));
            assert_eq!(parse(&written(&signed)), Some(signed.clone()));
            assert_eq!(signer.last_end(organization).await.unwrap(), end);
            assert_eq!(signer.sign(organization, end, None).await.unwrap(), signed, "it says nothing new");
            let changes: [fn(&mut StoredCheckpoint); 6] = [
                |checkpoint| checkpoint.sequence += 1,
                |checkpoint| checkpoint.hash.replace_range(0..1, "b"),
                |checkpoint| checkpoint.kept_from_us = None,
                |checkpoint| checkpoint.created_us += 1,
                |checkpoint| checkpoint.organization_id.push('x'),
                |checkpoint| checkpoint.signature.clear(),
            ];
            for change in changes {
                let mut changed = signed.clone();
                change(&mut changed);
                assert!(!is_signed(&changed), "{changed:?}");
            }
            // The key stays the same after a restart.
            let again = Signer::new(meta, Arc::new(ManualClock::new(6)));
            let later = again.sign(organization, ChainHead { sequence: 4, ..end }, None).await.unwrap();
            assert_eq!(later.public_key, signed.public_key);
        })
        .await;
    }

    #[test]
    fn what_is_no_checkpoint_is_none() {
        for value in [json!({}), json!(1), json!({ "version": 2 }), json!({ "version": 1, "sequence": "1" })]
        {
            assert_eq!(parse(&value), None);
        }
        assert_eq!(parse_hash(&hex(&[171; 32])), Some([171; 32]));
        for text in ["", "ab", &"x".repeat(64), &"é".repeat(32)] {
            assert_eq!(parse_hash(text), None);
        }
    }
}
