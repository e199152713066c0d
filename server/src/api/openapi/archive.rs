//! Reading one file out of a ZIP archive in memory: enough for an archive that was checked in, not for any other.

use std::io::Read;

use flate2::read::DeflateDecoder;

const ENTRY: &[u8; 4] = b"PK\x01\x02";
const END: &[u8; 4] = b"PK\x05\x06";
const DEFLATED: u16 = 8;

/// The content of the file whose path ends so; none when there is none, or the archive is not as expected.
pub(super) fn file_in(archive: &[u8], ending: &str) -> Option<Vec<u8>> {
    let end = archive.windows(4).rposition(|window| window == END)?;
    let mut at = number(archive, end + 16, 4)?;
    while archive.get(at..at + 4)? == ENTRY {
        let [method, size, name, extra, comment, offset] =
            [(10, 2), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)]
                .map(|(field, bytes)| number(archive, at + field, bytes));
        let name_end = at + 46 + name?;
        if archive.get(at + 46..name_end)?.ends_with(ending.as_bytes()) {
            return content(archive, offset?, method? == usize::from(DEFLATED), size?);
        }
        at = name_end + extra? + comment?;
    }
    None
}

fn content(archive: &[u8], header: usize, is_deflated: bool, size: usize) -> Option<Vec<u8>> {
    let start = header + 30 + number(archive, header + 26, 2)? + number(archive, header + 28, 2)?;
    let stored = archive.get(start..)?;
    if !is_deflated {
        return stored.get(..size).map(<[u8]>::to_vec);
    }
    let mut content = Vec::with_capacity(size);
    DeflateDecoder::new(stored).take(size as u64).read_to_end(&mut content).ok()?;
    (content.len() == size).then_some(content)
}

/// A number of two or four bytes, the least significant first.
fn number(archive: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let bytes = archive.get(at..at + bytes)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
