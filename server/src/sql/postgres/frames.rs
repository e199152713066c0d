//! Messages are whole and well formed before anybody reads them.
//!
//! The protocol lets a message be a gigabyte long, before anybody has logged in, and the library that reads messages trusts
//! what they say of themselves. Here none is longer than [`MAX_MESSAGE_BYTES`], and each is looked through first.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Longest message of a client, with its length and without its type.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Longest first message.
const MAX_FIRST_BYTES: usize = 10_000;
/// Read at a time.
const READ_BYTES: usize = 8 * 1024;
/// The length of a length.
const LENGTH: usize = 4;
/// A length and a version of the protocol, and one byte more at least.
const MIN_FIRST_BYTES: usize = 9;

/// A connection that hands on messages one by one.
pub(super) struct Frames<T> {
    inner: T,
    /// What was read.
    read: BytesMut,
    /// How many bytes of it are of a message that may be handed on.
    num_checked: usize,
    /// The first message has no type.
    is_first: bool,
}

impl<T> Frames<T> {
    /// `read` is what was read already.
    pub(super) fn new(inner: T, read: BytesMut) -> Self {
        Self { inner, read, num_checked: 0, is_first: true }
    }

    /// Looks whether there is a whole message.
    fn check(&mut self) -> io::Result<()> {
        let found = if self.is_first { first(&self.read) } else { typed(&self.read) };
        let found = found.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        if let Some(num_bytes) = found {
            (self.num_checked, self.is_first) = (num_bytes, false);
        }
        Ok(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Frames<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.num_checked == 0 {
            this.check()?;
            if this.num_checked > 0 {
                break;
            }
            this.read.reserve(READ_BYTES);
            if ready!(poll_read_buf(Pin::new(&mut this.inner), context, &mut this.read))? == 0 {
                return Poll::Ready(match this.read.is_empty() {
                    true => Ok(()),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                });
            }
        }
        let num_bytes = this.num_checked.min(buffer.remaining());
        buffer.put_slice(&this.read[..num_bytes]);
        this.read.advance(num_bytes);
        this.num_checked -= num_bytes;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Frames<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

type Found = Result<Option<usize>, &'static str>;

/// The first message, which says who comes.
fn first(bytes: &[u8]) -> Found {
    let Some(length) = length_at(bytes, 0) else { return Ok(None) };
    match length {
        MIN_FIRST_BYTES..=MAX_FIRST_BYTES if bytes.len() < length => Ok(None),
        MIN_FIRST_BYTES..=MAX_FIRST_BYTES => Ok(Some(length)),
        _ => Err("the first message is no message of the PostgreSQL protocol"),
    }
}

/// Any other message: a type, a length, and what both say there is.
fn typed(bytes: &[u8]) -> Found {
    let (Some(kind), Some(length)) = (bytes.first(), length_at(bytes, 1)) else { return Ok(None) };
    if length < LENGTH {
        return Err("a message is shorter than its length");
    }
    if length > MAX_MESSAGE_BYTES {
        return Err("a message is longer than 1 MiB");
    }
    let Some(body) = bytes.get(1 + LENGTH..1 + length) else { return Ok(None) };
    match is_whole(*kind, body) {
        true => Ok(Some(1 + length)),
        false => Err("a message is not what its type says"),
    }
}

fn length_at(bytes: &[u8], place: usize) -> Option<usize> {
    let length: [u8; LENGTH] = bytes.get(place..place + LENGTH)?.try_into().ok()?;
    // A negative one is longer than any may be.
    usize::try_from(u32::from_be_bytes(length)).ok()
}

/// Whether a message has what its type says, and nothing behind it.
fn is_whole(kind: u8, body: &[u8]) -> bool {
    let mut rest = Rest(body);
    let read = match kind {
        b'Q' | b'f' => rest.text(),
        b'P' => rest.text().and_then(|()| rest.text()).and_then(|()| rest.list(4)),
        b'B' => rest
            .text()
            .and_then(|()| rest.text())
            .and_then(|()| rest.list(2))
            .and_then(|()| rest.values())
            .and_then(|()| rest.list(2)),
        b'E' => rest.text().and_then(|()| rest.skip(4)),
        b'D' | b'C' => rest.skip(1).and_then(|()| rest.text()),
        b'H' | b'S' | b'X' | b'c' => Some(()),
        // Their bodies are whatever they are.
        b'p' | b'd' => return true,
        _ => None,
    };
    read.is_some() && rest.0.is_empty()
}

/// What is left of a message.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, num_bytes: usize) -> Option<()> {
        self.0 = self.0.get(num_bytes..)?;
        Some(())
    }

    /// Up to a zero.
    fn text(&mut self) -> Option<()> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        self.skip(end + 1)
    }

    fn number(&mut self) -> Option<usize> {
        let number: [u8; 2] = self.0.get(..2)?.try_into().ok()?;
        self.skip(2)?;
        Some(u16::from_be_bytes(number).into())
    }

    /// A number of things of a length.
    fn list(&mut self, length: usize) -> Option<()> {
        let number = self.number()?;
        self.skip(number * length)
    }

    /// A number of values, each with its length, which is -1 for null.
    fn values(&mut self) -> Option<()> {
        for _value in 0..self.number()? {
            let length: [u8; LENGTH] = self.0.get(..LENGTH)?.try_into().ok()?;
            self.skip(LENGTH)?;
            match i32::from_be_bytes(length) {
                -1 => {}
                length => self.skip(usize::try_from(length).ok()?)?,
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use pgwire::messages::{DecodeContext, PgWireFrontendMessage, ProtocolVersion};
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + LENGTH).unwrap();
        [&[kind], length.to_be_bytes().as_slice(), body].concat()
    }

    fn context(is_first: bool) -> DecodeContext {
        let mut context = DecodeContext::new(ProtocolVersion::default());
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = is_first;
        context
    }

    #[test]
    fn messages_are_what_their_types_say() {
        for (kind, body) in [
            (b'Q', &b"SELECT 1\0"[..]),
            (b'P', b"s\0SELECT $1\0\0\x01\0\0\0\x19"),
            (b'B', b"\0s\0\0\x01\0\x01\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\0"),
            (b'E', b"\0\0\0\0\0"),
            (b'D', b"Ss\0"),
            (b'C', b"P\0"),
            (b'S', b""),
            (b'X', b""),
            (b'p', b"phx_key\0"),
        ] {
            let whole = message(kind, body);
            assert_eq!(typed(&whole), Ok(Some(whole.len())), "{whole:?}");
            assert_eq!(typed(&whole[..whole.len() - 1]), Ok(None), "{whole:?}");
            assert!(kind == b'p' || typed(&message(kind, &[body, b"\0"].concat())).is_err(), "{whole:?}");
        }
        for (kind, body) in [
            (b'Q', &b"SELECT 1"[..]),
            (b'P', b"s\0SELECT $1\0\0\x02\0\0\0\x19"),
            (b'B', b"\0s\0\0\0\0\x01\x7f\xff\xff\xffa\0\0"),
            (b'B', b"\0s\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            (b'B', b""),
            (b'E', b"\0\0\0"),
            (b'D', b""),
            (b'F', b"\0\0\0\0"),
            (b'z', b""),
        ] {
            assert!(typed(&message(kind, body)).is_err(), "{kind} {body:?}");
        }
        assert!(typed(b"Q\0\0\0\x03").is_err() && typed(b"Q\xff\xff\xff\xff").is_err());
        assert!(first(b"GET / HTTP/1.1\r\n").is_err() && first(b"\0\0\0\x04").is_err());
        assert_eq!(first(b"\0\0\0\x09\0\x03\0\0\0"), Ok(Some(9)));
    }

    #[tokio::test]
    async fn no_more_is_read_than_a_message_may_have() {
        let mut frames = Frames::new(tokio::io::repeat(b'Q'), BytesMut::new());
        frames.is_first = false;
        let mut all = Vec::new();
        let error = (&mut frames).take(u64::MAX).read_to_end(&mut all).await.unwrap_err();
        assert_eq!((error.kind(), all.len()), (io::ErrorKind::InvalidData, 0));
    }

    proptest! {
        /// The library reads all of a message that has passed, and nothing else.
        #[test]
        fn what_passes_can_be_read(
            kind in prop::sample::select(b"QPBEDCHSXpdcf".to_vec()),
            body in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255), any::<u8>()], 0..40),
        ) {
            let whole = message(kind, &body);
            if let Ok(Some(num_bytes)) = typed(&whole) {
                prop_assert_eq!(num_bytes, whole.len());
                let mut buffer = BytesMut::from(&whole[..]);
                let read = PgWireFrontendMessage::decode(&mut buffer, &context(false));
                prop_assert!(read.is_err() || buffer.is_empty(), "{:?} of {:?}", read, whole);
            }
        }

        #[test]
        fn a_first_message_that_passes_can_be_read(body in prop::collection::vec(any::<u8>(), 0..40)) {
            for version in [[0, 3, 0, 0], [0, 3, 0, 2], [4, 210, 22, 46]] {
                let length = u32::try_from(body.len() + 8).unwrap();
                let whole = [&length.to_be_bytes()[..], &version, &body].concat();
                if let Ok(Some(_)) = first(&whole) {
                    let _read = PgWireFrontendMessage::decode(&mut BytesMut::from(&whole[..]), &context(true));
                }
            }
        }
    }
}
