//! The hash that ties each entry to all before it.
//!
//! The hash of an entry is SHA-256 over the bytes below, all numbers little-endian. Who has the entries of an
//! organization in the order of their sequence numbers can compute it anew without this program.
//!
//! | bytes | content |
//! |---|---|
//! | 19 | `timberline-activity` |
//! | 4 | version of this encoding, 1 |
//! | 32 | hash of the entry before; zeros before the first |
//! | 16 | id of the organization |
//! | 8 | sequence number |
//! | 16 | id of the entry |
//! | 8 | `timestamp`, microseconds since 1970 |
//! | … | `project_id`, `user_id`: 0, or 1 and the number (8) |
//! | … | `was_impersonated`, `is_system`: 0, or 1 and 0 or 1 |
//! | … | `client`, `ip_address`, `scope`, `activity`, `item_id`, `detail`: 0, or 1, the length (8) and the UTF-8 bytes |

use sha2::{Digest, Sha256};

use super::entry::ActivityEntry;
use crate::schema::OrganizationId;

/// A link of a chain: SHA-256.
pub type Hash = [u8; 32];

/// The version of the encoding that this code makes.
pub const CHAIN_VERSION: u32 = 1;

const MAGIC: &[u8; 19] = b"timberline-activity";

/// Where a chain ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Sequence number of the newest entry; 0 before the first.
    pub sequence: i64,
    /// Its hash; zeros before the first.
    pub hash: Hash,
}

/// The hash of an entry after `previous`, by a version of the encoding; none for a version that is not known.
pub fn entry_hash(
    version: u32,
    previous: &ChainHead,
    organization: OrganizationId,
    entry: &ActivityEntry,
) -> Option<Hash> {
    if version != CHAIN_VERSION {
        return None;
    }
    let mut hasher = Sha256::new();
    hasher.update(MAGIC);
    hasher.update(version.to_le_bytes());
    hasher.update(previous.hash);
    hasher.update(organization.0.as_bytes());
    hasher.update(previous.sequence.wrapping_add(1).to_le_bytes());
    hasher.update(entry.id.as_bytes());
    hasher.update(entry.timestamp_us.to_le_bytes());
    number(&mut hasher, entry.project.map(|project| project.0));
    number(&mut hasher, entry.user_id);
    flag(&mut hasher, entry.was_impersonated);
    flag(&mut hasher, entry.is_system);
    text(&mut hasher, entry.client.as_deref());
    text(&mut hasher, entry.ip_address.as_deref());
    text(&mut hasher, Some(&entry.scope));
    text(&mut hasher, Some(&entry.activity));
    text(&mut hasher, entry.item_id.as_deref());
    text(&mut hasher, entry.detail.as_deref());
    Some(hasher.finalize().into())
}

fn number(hasher: &mut Sha256, number: Option<i64>) {
    hasher.update([u8::from(number.is_some())]);
    if let Some(number) = number {
        hasher.update(number.to_le_bytes());
    }
}

fn flag(hasher: &mut Sha256, flag: Option<bool>) {
    hasher.update([u8::from(flag.is_some())]);
    if let Some(flag) = flag {
        hasher.update([u8::from(flag)]);
    }
}

fn text(hasher: &mut Sha256, text: Option<&str>) {
    hasher.update([u8::from(text.is_some())]);
    if let Some(text) = text {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;
    use crate::schema::ProjectId;

    fn entry() -> ActivityEntry {
        ActivityEntry {
            id: Uuid::from_u128(5),
            timestamp_us: 1_765_881_156_184_820,
            project: Some(ProjectId(3)),
            user_id: None,
            was_impersonated: Some(false),
            is_system: None,
            client: Some("web".into()),
            ip_address: None,
            scope: "Role".into(),
            activity: "created".into(),
            item_id: Some("7".into()),
            detail: Some("{}".into()),
        }
    }

    fn hash_of(entry: &ActivityEntry) -> Hash {
        entry_hash(1, &ChainHead::default(), OrganizationId(Uuid::from_u128(9)), entry).unwrap()
    }

    #[test]
    fn every_member_and_its_place_count() {
        let changes: [fn(&mut ActivityEntry); 14] = [
            |_| {},
            |entry| entry.id = Uuid::from_u128(6),
            |entry| entry.timestamp_us += 1,
            |entry| entry.project = None,
            |entry| entry.user_id = Some(3),
            |entry| entry.was_impersonated = Some(true),
            |entry| entry.was_impersonated = None,
            |entry| entry.is_system = Some(false),
            |entry| entry.client = Some("we".into()),
            |entry| entry.ip_address = entry.client.take(),
            |entry| entry.scope = "Rol".into(),
            |entry| (entry.scope, entry.activity) = ("Rolec".into(), "reated".into()),
            |entry| entry.item_id = None,
            |entry| entry.detail = Some("{} ".into()),
        ];
        let hashes = changes.map(|change| {
            let mut changed = entry();
            change(&mut changed);
            hash_of(&changed)
        });
        assert_eq!(HashSet::from(hashes).len(), changes.len());
        let later = ChainHead { sequence: 1, hash: [0; 32] };
        let of_organization =
            |previous, id| entry_hash(1, previous, OrganizationId(Uuid::from_u128(id)), &entry()).unwrap();
        assert_ne!(of_organization(&later, 9), hash_of(&entry()));
        assert_ne!(of_organization(&ChainHead::default(), 8), hash_of(&entry()));
    }

    /// The encoding is for ever: a hash that changes means that trails that were written cannot be verified.
    #[test]
    fn the_encoding_does_not_change() {
        let hash = hash_of(&entry()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hash, "c48705137b1a44a806bd91311ce563d5ba9f1304c513cef2f315f43d692f51cc");
        assert_eq!(entry_hash(2, &ChainHead::default(), OrganizationId(Uuid::nil()), &entry()), None);
    }
}
