//! Ready-made request bodies in one file, gzipped, each with the number of its rows.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct BodyWriter {
    path: PathBuf,
    out: BufWriter<File>,
}

/// A file that is complete.
#[derive(Debug)]
pub(super) struct Bodies {
    path: PathBuf,
}

impl BodyWriter {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let out = BufWriter::new(File::create(&path)?);
        Ok(Self { path, out })
    }

    /// Adds a body, and returns how many bytes it has when it is sent.
    pub(super) fn add(&mut self, num_rows: u64, body: &[u8]) -> Result<u64> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body)?;
        let sent = encoder.finish()?;
        self.out.write_all(&u32::try_from(num_rows)?.to_le_bytes())?;
        self.out.write_all(&u32::try_from(sent.len())?.to_le_bytes())?;
        self.out.write_all(&sent)?;
        Ok(sent.len() as u64)
    }

    pub(super) fn finish(mut self) -> Result<Bodies> {
        self.out.flush()?;
        Ok(Bodies { path: self.path })
    }
}

impl Bodies {
    /// The bodies in their order, each with the number of its rows.
    pub(super) fn read(&self) -> Result<impl Iterator<Item = Result<(u64, Bytes)>> + use<>> {
        let mut file = BufReader::new(File::open(&self.path)?);
        Ok(std::iter::from_fn(move || {
            let num_rows = read_number(&mut file).ok()?;
            Some(read_body(&mut file).map(|body| (u64::from(num_rows), body)).context("a body is cut"))
        }))
    }
}

fn read_number(file: &mut impl Read) -> std::io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_body(file: &mut impl Read) -> std::io::Result<Bytes> {
    let mut body = vec![0; read_number(file)? as usize];
    file.read_exact(&mut body)?;
    Ok(Bytes::from(body))
}
