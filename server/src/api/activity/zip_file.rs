//! A ZIP archive, written member by member in bounded memory.
//!
//! The sizes of a member are known when it has ended; they are then written where its header left room for them. No
//! part of an archive is larger than the format's first version allows, 4 GiB.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// What a reader has to know: deflate.
const VERSION: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATED: u16 = 8;
/// 1980-01-01, the earliest date there is: equal content makes equal archives.
const DATE: u16 = (1 << 5) | 1;
/// Where checksum and sizes stand in a local header.
const CHECKSUM_OFFSET: u64 = 14;

/// An archive that is being written.
pub(super) struct ZipFile {
    out: BufWriter<File>,
    members: Vec<Ended>,
}

/// A member that is being written; everything goes on with the archive that it gives back.
pub(super) struct Member {
    encoder: DeflateEncoder<BufWriter<File>>,
    members: Vec<Ended>,
    name: String,
    offset: u32,
    data_offset: u64,
    checksum: crc32fast::Hasher,
    num_bytes: u64,
}

struct Ended {
    name: String,
    offset: u32,
    checksum: u32,
    packed_bytes: u32,
    num_bytes: u32,
}

impl ZipFile {
    pub(super) fn new(file: File) -> Self {
        Self { out: BufWriter::new(file), members: Vec::new() }
    }

    /// Begins a member.
    pub(super) fn begin(mut self, name: &str) -> io::Result<Member> {
        let offset = fitting(self.out.stream_position()?)?;
        let mut header = Vec::new();
        header.extend(LOCAL_HEADER.to_le_bytes());
        push_description(&mut header, 0, 0, 0);
        push_names(&mut header, name)?;
        header.extend(name.as_bytes());
        self.out.write_all(&header)?;
        Ok(Member {
            data_offset: u64::from(offset) + header.len() as u64,
            encoder: DeflateEncoder::new(self.out, Compression::default()),
            members: self.members,
            name: name.to_owned(),
            offset,
            checksum: crc32fast::Hasher::new(),
            num_bytes: 0,
        })
    }

    /// Adds a whole member.
    pub(super) fn add(self, name: &str, content: &str) -> io::Result<Self> {
        let mut member = self.begin(name)?;
        member.write(content.as_bytes())?;
        member.end()
    }

    /// Writes the directory and makes all durable.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let start = fitting(self.out.stream_position()?)?;
        let mut directory = Vec::new();
        for member in &self.members {
            directory.extend(CENTRAL_HEADER.to_le_bytes());
            directory.extend(VERSION.to_le_bytes());
            push_description(&mut directory, member.checksum, member.packed_bytes, member.num_bytes);
            push_names(&mut directory, &member.name)?;
            // No comment, first disk, no attributes.
            directory.extend([0; 10]);
            directory.extend(member.offset.to_le_bytes());
            directory.extend(member.name.as_bytes());
        }
        let count = u16::try_from(self.members.len()).map_err(io::Error::other)?;
        let size = fitting(directory.len() as u64)?;
        directory.extend(END.to_le_bytes());
        directory.extend([0; 4]);
        directory.extend(count.to_le_bytes());
        directory.extend(count.to_le_bytes());
        directory.extend(size.to_le_bytes());
        directory.extend(start.to_le_bytes());
        directory.extend([0; 2]);
        self.out.write_all(&directory)?;
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl Member {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.num_bytes += bytes.len() as u64;
        self.encoder.write_all(bytes)
    }

    /// Packed bytes of the archive so far, about.
    pub(super) fn archive_bytes(&self) -> u64 {
        self.data_offset + self.encoder.total_out()
    }

    /// Ends the member.
    pub(super) fn end(self) -> io::Result<ZipFile> {
        let Self { encoder, mut members, name, offset, data_offset, checksum, num_bytes } = self;
        let mut out = encoder.finish()?;
        let end = out.stream_position()?;
        let ended = Ended {
            name,
            offset,
            checksum: checksum.finalize(),
            packed_bytes: fitting(end - data_offset)?,
            num_bytes: fitting(num_bytes)?,
        };
        out.seek(SeekFrom::Start(u64::from(offset) + CHECKSUM_OFFSET))?;
        for number in [ended.checksum, ended.packed_bytes, ended.num_bytes] {
            out.write_all(&number.to_le_bytes())?;
        }
        out.seek(SeekFrom::Start(end))?;
        members.push(ended);
        Ok(ZipFile { out, members })
    }
}

/// What both headers of a member have in common, but for its name.
fn push_description(header: &mut Vec<u8>, checksum: u32, packed_bytes: u32, num_bytes: u32) {
    for number in [VERSION, FLAGS, DEFLATED, 0, DATE] {
        header.extend(number.to_le_bytes());
    }
    for number in [checksum, packed_bytes, num_bytes] {
        header.extend(number.to_le_bytes());
    }
}

/// The lengths of the name and of what else could follow it.
fn push_names(header: &mut Vec<u8>, name: &str) -> io::Result<()> {
    header.extend(u16::try_from(name.len()).map_err(io::Error::other)?.to_le_bytes());
    header.extend(0_u16.to_le_bytes());
    Ok(())
}

fn fitting(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::other("a workbook has at most 4 GiB: ask for less"))
}
