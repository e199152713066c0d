//! The bytes of the write-ahead log; the only place that makes or reads them.
//!
//! A log is a series of segment files. All integers are little-endian.
//!
//! Segment header, 64 bytes:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | magic `TMBRLWAL` |
//! | 4 | format version |
//! | 16 | writer id |
//! | 8 | writer epoch |
//! | 8 | segment number |
//! | 16 | zero |
//! | 4 | CRC-32 of the 60 bytes before |
//!
//! Frames follow without gaps. A frame is one group commit, written at once and synced before the next one
//! is written, so a damaged frame with a whole one after it is damage and not a torn tail:
//!
//! | bytes | content |
//! |---|---|
//! | 4 | magic `FRAM` |
//! | 4 | CRC-32 of the rest of the frame |
//! | 8 | length of the body |
//! | … | body: number of batches (4), batches |
//!
//! A batch is one table's share of the commit: dataset (1), whose rows (of logs the project, 8; of activity the
//! organization, 16), sequence (8), ingest time in microseconds (8), number of payloads (4), and each payload as length (8) and an Arrow IPC stream of decoded
//! rows. Row ids and ingest times are not written: they follow from the batch.

use bytes::Bytes;
use memchr::memmem;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{BatchStamp, OrganizationId, ProjectId, TableId};

/// The version this code writes; it reads all up to it. Version 1 knew logs alone.
const FORMAT_VERSION: u32 = 2;
const SEGMENT_MAGIC: &[u8; 8] = b"TMBRLWAL";
const FRAME_MAGIC: &[u8; 4] = b"FRAM";
/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
const FRAME_HEADER_BYTES: usize = 16;
/// What a batch of each dataset begins with.
const LOGS: u8 = 0;
const ACTIVITY: u8 = 1;

/// What a segment file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) writer: Uuid,
    pub(super) epoch: u64,
    pub(super) number: u64,
}

/// One table's share of a group commit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WalBatch {
    pub(crate) table: TableId,
    pub(crate) stamp: BatchStamp,
    /// Arrow IPC streams of decoded rows, in the order of their ordinals.
    pub(crate) payloads: Vec<Bytes>,
}

/// What stands at an offset of a segment.
#[derive(Debug)]
pub(super) enum Frame {
    /// A whole commit, and where the next frame begins.
    Commit { batches: Vec<WalBatch>, next_offset: usize },
    /// Nothing was ever written here.
    End,
    /// Something that is not a whole frame.
    Damaged,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..28].copy_from_slice(self.writer.as_bytes());
        bytes[28..36].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.number.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` when it is torn.
    ///
    /// # Errors
    /// `CorruptData` when it is whole and of a version this code does not know.
    pub(super) fn decode(segment: &[u8]) -> Result<Option<Self>> {
        let Some(bytes) = segment.get(..SEGMENT_HEADER_BYTES) else { return Ok(None) };
        let mut reader = Reader { rest: bytes };
        let magic = reader.take(8);
        let version = reader.u32();
        let writer = reader.take(16).and_then(|bytes| Uuid::from_slice(bytes).ok());
        let (epoch, number) = (reader.u64(), reader.u64());
        let checksum = u32::from_le_bytes(bytes[60..].try_into().expect("BUG: four bytes are not four"));
        if magic != Some(SEGMENT_MAGIC) || checksum != crc32fast::hash(&bytes[..60]) {
            return Ok(None);
        }
        if !version.is_some_and(|version| (1..=FORMAT_VERSION).contains(&version)) {
            let message = format!(
                "write-ahead log of format version {}, and this program knows up to version {FORMAT_VERSION}",
                version.unwrap_or_default()
            );
            return Err(Error::corrupt_data(message));
        }
        Ok(writer.zip(epoch).zip(number).map(|((writer, epoch), number)| Self { writer, epoch, number }))
    }
}

/// Encodes one group commit as a frame.
pub(super) fn encode_frame(batches: &[WalBatch]) -> Vec<u8> {
    let payload_bytes: usize = batches.iter().flat_map(|batch| &batch.payloads).map(Bytes::len).sum();
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + 64 * (batches.len() + 1) + payload_bytes);
    frame.extend_from_slice(FRAME_MAGIC);
    frame.extend_from_slice(&[0; 12]);
    push_count(&mut frame, batches.len());
    for batch in batches {
        encode_batch(&mut frame, batch);
    }
    let body_bytes = (frame.len() - FRAME_HEADER_BYTES) as u64;
    frame[8..16].copy_from_slice(&body_bytes.to_le_bytes());
    let checksum = crc32fast::hash(&frame[8..]);
    frame[4..8].copy_from_slice(&checksum.to_le_bytes());
    frame
}

fn encode_batch(frame: &mut Vec<u8>, batch: &WalBatch) {
    match batch.table {
        TableId::Logs(project) => {
            frame.push(LOGS);
            frame.extend_from_slice(&project.0.to_le_bytes());
        }
        TableId::Activity(organization) => {
            frame.push(ACTIVITY);
            frame.extend_from_slice(organization.0.as_bytes());
        }
    }
    frame.extend_from_slice(&batch.stamp.sequence.to_le_bytes());
    frame.extend_from_slice(&batch.stamp.ingested_us.to_le_bytes());
    push_count(frame, batch.payloads.len());
    for payload in &batch.payloads {
        frame.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        frame.extend_from_slice(payload);
    }
}

fn push_count(frame: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("BUG: a group commit is bounded far below 2^32 parts");
    frame.extend_from_slice(&count.to_le_bytes());
}

/// Reads what stands at `offset` of a segment.
pub(super) fn decode_frame(segment: &Bytes, offset: usize, header: &SegmentHeader) -> Frame {
    let rest = &segment[offset.min(segment.len())..];
    if rest.iter().take(FRAME_HEADER_BYTES).all(|&byte| byte == 0) {
        return Frame::End;
    }
    let mut reader = Reader { rest };
    let magic = reader.take(4);
    let (Some(checksum), Some(body_bytes)) = (reader.u32(), reader.u64()) else { return Frame::Damaged };
    let end = usize::try_from(body_bytes).ok().and_then(|length| length.checked_add(FRAME_HEADER_BYTES));
    let Some(end) = end.filter(|&end| end <= rest.len() && magic == Some(FRAME_MAGIC)) else {
        return Frame::Damaged;
    };
    if crc32fast::hash(&rest[8..end]) != checksum {
        return Frame::Damaged;
    }
    let body = segment.slice(offset + FRAME_HEADER_BYTES..offset + end);
    match decode_batches(&body, header) {
        Some(batches) => Frame::Commit { batches, next_offset: offset + end },
        None => Frame::Damaged,
    }
}

/// Whether a whole frame begins anywhere in a segment at or after `offset`.
pub(super) fn has_frame_after(segment: &Bytes, offset: usize, header: &SegmentHeader) -> bool {
    let rest = &segment[offset.min(segment.len())..];
    memmem::find_iter(rest, FRAME_MAGIC)
        .any(|index| matches!(decode_frame(segment, offset + index, header), Frame::Commit { .. }))
}

fn decode_batches(body: &Bytes, header: &SegmentHeader) -> Option<Vec<WalBatch>> {
    let mut reader = Reader { rest: body };
    let num_batches = reader.u32()?;
    (0..num_batches).map(|_| decode_batch(&mut reader, body, header)).collect()
}

fn decode_batch(reader: &mut Reader<'_>, body: &Bytes, header: &SegmentHeader) -> Option<WalBatch> {
    let table = match reader.take(1)? {
        [LOGS] => TableId::Logs(ProjectId(reader.u64()? as i64)),
        [ACTIVITY] => TableId::Activity(OrganizationId(Uuid::from_slice(reader.take(16)?).ok()?)),
        _ => return None,
    };
    let (sequence, ingested_us) = (reader.u64()?, reader.u64()? as i64);
    let num_payloads = reader.u32()?;
    let payloads = (0..num_payloads)
        .map(|_| {
            let length = usize::try_from(reader.u64()?).ok()?;
            Some(body.slice_ref(reader.take(length)?))
        })
        .collect::<Option<_>>()?;
    let stamp = BatchStamp { writer: header.writer, epoch: header.epoch, sequence, ingested_us };
    Some(WalBatch { table, stamp, payloads })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> SegmentHeader {
        SegmentHeader { writer: Uuid::from_u128(9), epoch: 3, number: 12 }
    }

    fn batches() -> impl Strategy<Value = Vec<WalBatch>> {
        let payloads = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..4);
        let table = prop_oneof![
            (1..i64::MAX).prop_map(|project| TableId::logs(ProjectId(project))),
            any::<u128>().prop_map(|id| TableId::activity(OrganizationId(Uuid::from_u128(id)))),
        ];
        let batch = (table, any::<u64>(), any::<i64>(), payloads).prop_map(
            |(table, sequence, ingested_us, payloads)| WalBatch {
                table,
                stamp: BatchStamp { writer: header().writer, epoch: header().epoch, sequence, ingested_us },
                payloads: payloads.into_iter().map(Bytes::from).collect(),
            },
        );
        prop::collection::vec(batch, 1..4)
    }

    proptest! {
        #[test]
        fn frames_round_trip(batches in batches(), offset in 0_usize..20) {
            let mut segment = vec![0; offset];
            segment.extend(encode_frame(&batches));
            let end = segment.len();
            segment.extend([0; 16]);
            let segment = Bytes::from(segment);
            match decode_frame(&segment, offset, &header()) {
                Frame::Commit { batches: read, next_offset } => {
                    prop_assert_eq!(read, batches);
                    prop_assert_eq!(next_offset, end);
                    prop_assert!(matches!(decode_frame(&segment, end, &header()), Frame::End));
                    prop_assert!(has_frame_after(&segment, 0, &header()));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn a_changed_or_cut_frame_is_damaged(
            batches in batches(), at in any::<prop::sample::Index>(), flip in 1_u8.., keep in any::<prop::sample::Index>(),
        ) {
            let frame = encode_frame(&batches);
            let mut changed = frame.clone();
            changed[at.index(frame.len())] ^= flip;
            prop_assert!(matches!(decode_frame(&changed.into(), 0, &header()), Frame::Damaged));
            let cut = Bytes::copy_from_slice(&frame[..1 + keep.index(frame.len() - 1)]);
            prop_assert!(matches!(decode_frame(&cut, 0, &header()), Frame::Damaged));
        }
    }

    #[test]
    fn headers_round_trip_and_torn_ones_are_none() {
        let bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes).unwrap(), Some(header()));
        assert_eq!(SegmentHeader::decode(&bytes[..40]).unwrap(), None);
        let mut torn = bytes;
        torn[50] = 1;
        assert_eq!(SegmentHeader::decode(&torn).unwrap(), None);
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let mut bytes = header().encode();
        bytes[8] = 200;
        let checksum = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&checksum.to_le_bytes());
        let error = SegmentHeader::decode(&bytes).unwrap_err();
        assert!(error.message().contains("version 200"), "{error}");
    }
}
