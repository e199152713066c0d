//! Content encodings of a request body: which one it has, and its bytes without it.
//!
//! gzip is told by its first bytes, whatever the header says; zstd and deflate by the header. The output is
//! made block by block within a limit, so that a small body that unpacks to a huge one stops there.

use std::io::{self, Read};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::budget::{BudgetSpent, Reservation};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Output is reserved and made in blocks of this size.
const BLOCK_BYTES: usize = 64 * 1024;
/// 8 MiB, the largest window that HTTP allows for zstd (RFC 9659); a frame may ask for gigabytes otherwise.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is encoded, as far as the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentEncoding {
    /// Not at all, or gzip: the first bytes decide.
    IdentityOrGzip,
    Zstd,
    Deflate,
}

/// Why a body has no decompressed form.
#[derive(Debug)]
pub(super) enum DecompressError {
    /// It is not what its header says, or it is damaged.
    Damaged(io::Error),
    /// It is larger than the limit.
    TooLarge,
    /// Other requests hold too much memory at the moment.
    BudgetSpent,
}

impl From<BudgetSpent> for DecompressError {
    fn from(BudgetSpent: BudgetSpent) -> Self {
        Self::BudgetSpent
    }
}

impl ContentEncoding {
    /// Reads the header; the error is the value that is not understood.
    pub(super) fn from_headers(headers: &HeaderMap) -> Result<Self, String> {
        let mut encoding = Self::IdentityOrGzip;
        for value in headers.get_all(CONTENT_ENCODING) {
            let text = value.to_str().map_err(|_| "not text".to_owned())?.trim().to_ascii_lowercase();
            let named = match text.as_str() {
                "" | "identity" | "gzip" | "x-gzip" => Self::IdentityOrGzip,
                "zstd" => Self::Zstd,
                "deflate" => Self::Deflate,
                _ => return Err(text),
            };
            if encoding != Self::IdentityOrGzip && named != encoding {
                return Err(format!("{encoding:?} and {text}"));
            }
            encoding = named;
        }
        Ok(encoding)
    }
}

/// The body's bytes without their encoding, at most `limit_bytes`.
///
/// # Errors
/// [`DecompressError::TooLarge`] as soon as one byte more than the limit has come out.
pub(super) fn decompress(
    body: Vec<u8>,
    encoding: ContentEncoding,
    limit_bytes: usize,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, DecompressError> {
    if body.starts_with(&GZIP_MAGIC) {
        return read_bounded(MultiGzDecoder::new(&body[..]), limit_bytes, reservation);
    }
    match encoding {
        ContentEncoding::IdentityOrGzip if body.len() > limit_bytes => Err(DecompressError::TooLarge),
        ContentEncoding::IdentityOrGzip => Ok(body),
        // Senders leave the header on an empty body.
        ContentEncoding::Zstd | ContentEncoding::Deflate if body.is_empty() => Ok(body),
        ContentEncoding::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(DecompressError::Damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(DecompressError::Damaged)?;
            read_bounded(decoder, limit_bytes, reservation)
        }
        ContentEncoding::Deflate if has_zlib_header(&body) => {
            read_bounded(ZlibDecoder::new(&body[..]), limit_bytes, reservation)
        }
        ContentEncoding::Deflate => read_bounded(DeflateDecoder::new(&body[..]), limit_bytes, reservation),
    }
}

/// HTTP's deflate is zlib, but some senders leave its header out.
fn has_zlib_header(body: &[u8]) -> bool {
    match body {
        [first, second, ..] => first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31),
        _ => false,
    }
}

fn read_bounded(
    mut decoder: impl Read,
    limit_bytes: usize,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, DecompressError> {
    let mut output = Vec::new();
    loop {
        // One byte beyond the limit tells "exactly the limit" from "more".
        let room = (limit_bytes - output.len()).saturating_add(1).min(BLOCK_BYTES);
        reservation.grow(room.min(limit_bytes - output.len()))?;
        let num_read =
            decoder.by_ref().take(room as u64).read_to_end(&mut output).map_err(DecompressError::Damaged)?;
        if output.len() > limit_bytes {
            return Err(DecompressError::TooLarge);
        }
        if num_read < room {
            return Ok(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::super::budget::IngestBudget;
    use super::*;

    const LIMIT: usize = 200_000;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 3).unwrap()
    }

    fn unpack(body: Vec<u8>, encoding: ContentEncoding) -> Result<Vec<u8>, DecompressError> {
        decompress(body, encoding, LIMIT, &mut IngestBudget::new(100 * LIMIT).reservation())
    }

    type Pack = fn(&[u8]) -> Vec<u8>;

    fn encodings() -> [(Pack, ContentEncoding); 4] {
        [
            (gzip, ContentEncoding::IdentityOrGzip),
            (zstd, ContentEncoding::Zstd),
            (zlib, ContentEncoding::Deflate),
            (deflate, ContentEncoding::Deflate),
        ]
    }

    #[test]
    fn every_encoding_is_undone() {
        let text: Vec<u8> = (0..LIMIT).map(|index| (index % 251) as u8).collect();
        for (pack, encoding) in encodings() {
            for length in [0, 1, 1000, BLOCK_BYTES, LIMIT] {
                assert_eq!(
                    unpack(pack(&text[..length]), encoding).unwrap(),
                    &text[..length],
                    "{encoding:?} {length}"
                );
            }
        }
        assert_eq!(unpack(text[..1000].to_vec(), ContentEncoding::IdentityOrGzip).unwrap(), &text[..1000]);
    }

    #[test]
    fn gzip_is_told_by_its_first_bytes_whatever_the_header_says() {
        for encoding in [ContentEncoding::IdentityOrGzip, ContentEncoding::Zstd, ContentEncoding::Deflate] {
            assert_eq!(unpack(gzip(b"text"), encoding).unwrap(), b"text");
        }
    }

    #[test]
    fn members_of_a_gzip_body_are_joined() {
        let body = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(unpack(body, ContentEncoding::IdentityOrGzip).unwrap(), b"one two");
    }

    #[test]
    fn more_than_the_limit_is_too_large() {
        let zeros = vec![0; LIMIT + 1];
        for (pack, encoding) in encodings() {
            assert!(matches!(unpack(pack(&zeros), encoding), Err(DecompressError::TooLarge)), "{encoding:?}");
        }
        assert!(matches!(unpack(zeros, ContentEncoding::IdentityOrGzip), Err(DecompressError::TooLarge)));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        // The budget has no room beyond the limit, so that going on would be seen as a spent budget.
        let bomb = gzip(&vec![0; 20 * LIMIT]);
        let budget = IngestBudget::new(LIMIT);
        let unpacked = decompress(bomb, ContentEncoding::IdentityOrGzip, LIMIT, &mut budget.reservation());
        assert!(matches!(unpacked, Err(DecompressError::TooLarge)));
    }

    #[test]
    fn output_beyond_the_budget_is_refused() {
        let budget = IngestBudget::new(BLOCK_BYTES);
        let unpacked = decompress(
            gzip(&vec![0; LIMIT]),
            ContentEncoding::IdentityOrGzip,
            LIMIT,
            &mut budget.reservation(),
        );
        assert!(matches!(unpacked, Err(DecompressError::BudgetSpent)));
    }

    #[test]
    fn damaged_bodies_are_told() {
        for (pack, encoding) in encodings() {
            let mut body = pack(b"some text that is long enough to be cut in two");
            body.truncate(body.len() / 2);
            assert!(matches!(unpack(body, encoding), Err(DecompressError::Damaged(_))), "{encoding:?}");
        }
        assert!(matches!(
            unpack(b"not zstd".to_vec(), ContentEncoding::Zstd),
            Err(DecompressError::Damaged(_))
        ));
    }

    #[test]
    fn the_header_names_the_encoding() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            ContentEncoding::from_headers(&headers)
        };
        assert_eq!(read(&[]), Ok(ContentEncoding::IdentityOrGzip));
        assert_eq!(read(&["GZIP"]), Ok(ContentEncoding::IdentityOrGzip));
        assert_eq!(read(&["identity"]), Ok(ContentEncoding::IdentityOrGzip));
        assert_eq!(read(&["zstd"]), Ok(ContentEncoding::Zstd));
        assert_eq!(read(&["deflate"]), Ok(ContentEncoding::Deflate));
        assert_eq!(read(&["br"]), Err("br".to_owned()));
        assert_eq!(read(&["gzip, zstd"]), Err("gzip, zstd".to_owned()));
        assert!(read(&["zstd", "deflate"]).is_err());
    }
}
