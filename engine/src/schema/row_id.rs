//! Row ids: a UUIDv7 derived from the batch and the row's place in it.
//!
//! | bits | content |
//! |---|---|
//! | 48 | milliseconds of the batch's ingest time |
//! | 4 | version, 7 |
//! | 12 | batch sequence number, bits 14-25 |
//! | 2 | variant, 10 |
//! | 14 | batch sequence number, bits 0-13 |
//! | 16 | tag of the writer and its epoch |
//! | 32 | ordinal of the row in the batch, big-endian |
//!
//! Ingest time never goes backwards within a writer and its sequence numbers rise, so the order of the ids
//! of one writer, as text or as bytes, is the order of (sequence, ordinal): the ingest position.

use std::ops::Range;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// What all rows of one batch share: their place in the order of ingestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchStamp {
    /// Who wrote the batch.
    pub writer: Uuid,
    /// Which life of the writer.
    pub epoch: u64,
    /// The batch's number; rises within a writer.
    pub sequence: u64,
    /// When the batch was accepted, microseconds; never goes backwards within a writer.
    pub ingested_us: i64,
}

impl BatchStamp {
    /// The upper 96 bits that all row ids of the batch share.
    fn prefix(&self) -> u128 {
        let millis = (self.ingested_us.div_euclid(1000) as u128) & 0xFFFF_FFFF_FFFF;
        let sequence = u128::from(self.sequence);
        let high = (sequence >> 14) & 0xFFF;
        let low = sequence & 0x3FFF;
        millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 48 | u128::from(self.writer_tag()) << 32
    }

    fn writer_tag(&self) -> u16 {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(self.writer.as_bytes());
        bytes[16..].copy_from_slice(&self.epoch.to_be_bytes());
        (xxh3_64(&bytes) >> 48) as u16
    }

    /// The ids of the rows with these ordinals in the batch, in order.
    pub fn row_ids(&self, ordinals: Range<u32>) -> impl Iterator<Item = RowId> {
        let prefix = self.prefix();
        ordinals.map(move |ordinal| RowId((prefix | u128::from(ordinal)).to_be_bytes()))
    }
}

/// The id of a row, 16 bytes in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub [u8; 16]);

impl RowId {
    /// Before every row.
    pub const BEFORE_ALL: Self = Self([0; 16]);

    /// A place after the rows of a batch and of all earlier ones, and before those of later ones.
    pub fn end_of_batch(ingested_us: i64, sequence: u64) -> Self {
        let stamp = BatchStamp { writer: Uuid::nil(), epoch: 0, sequence, ingested_us };
        let after_any_tag_and_ordinal = (1_u128 << 48) - 1;
        Self((stamp.prefix() | after_any_tag_and_ordinal).to_be_bytes())
    }

    /// A row with this id or a higher one came in at this time or later, microseconds.
    pub fn ingested_from_us(self) -> i64 {
        let millis = u128::from_be_bytes(self.0) >> 80;
        i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    /// The id as a UUID.
    pub fn uuid(self) -> Uuid {
        Uuid::from_bytes(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(sequence: u64, ingested_us: i64) -> BatchStamp {
        BatchStamp { writer: Uuid::from_u128(7), epoch: 1, sequence, ingested_us }
    }

    #[test]
    fn ids_are_version_7_with_the_ingest_time() {
        let id = stamp(5, 1_765_881_156_184_820).row_ids(0..1).next().expect("one id").uuid();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanos) = id.get_timestamp().expect("a time").to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_765_881_156, 184));
    }

    #[test]
    fn the_end_of_a_batch_is_between_it_and_the_next() {
        let now = 1_765_881_156_184_820;
        for (sequence, next_us) in [(1, now), (16_383, now), (16_384, now + 1000)] {
            let end = RowId::end_of_batch(now, sequence);
            let last = stamp(sequence, now).row_ids(u32::MAX - 1..u32::MAX).next().expect("one id");
            let next = stamp(sequence + 1, next_us).row_ids(0..1).next().expect("one id");
            assert!(last <= end && end < next, "{sequence}");
            assert_eq!(end.ingested_from_us(), now / 1000 * 1000);
        }
        assert!(RowId::BEFORE_ALL < RowId::end_of_batch(0, 0));
    }

    #[test]
    fn text_order_is_ingest_order() {
        let now = 1_765_881_156_184_820;
        let mut ids = Vec::new();
        for (sequence, time) in [(1, now), (2, now), (16_383, now), (16_384, now), (16_385, now + 1000)] {
            ids.extend(stamp(sequence, time).row_ids(0..3).map(|id| id.uuid().to_string()));
        }
        assert!(ids.is_sorted());
        ids.dedup();
        assert_eq!(ids.len(), 15);
    }
}
