//! TLS or not: what a client settles before its first message.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::sql::connections::Connection;

/// The first byte of TLS.
const HANDSHAKE: u8 = 0x16;
/// What clients of this protocol call it within TLS.
pub(in crate::sql) const ALPN: &[u8] = b"postgresql";
/// Asks for TLS, after the length 8.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Asks for encryption by Kerberos, after the length 8.
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];
/// How often a client may ask, each thing once.
const MAX_REQUESTS: usize = 2;

/// A connection whose messages can be read.
pub(super) enum Transport {
    Plain(Connection),
    Secure(Box<TlsStream<Connection>>),
}

/// What was settled.
pub(super) struct Settled {
    pub(super) transport: Transport,
    /// The beginning of the first message, if it was read already.
    pub(super) read: BytesMut,
}

impl Transport {
    pub(super) fn is_secure(&self) -> bool {
        matches!(self, Self::Secure(_))
    }
}

/// Settles it as the client wishes and the server can. None when the client has gone.
///
/// # Errors
/// When the connection breaks, or the client does not speak TLS as it should.
pub(super) async fn settle(
    mut connection: Connection,
    tls: Option<&TlsAcceptor>,
) -> io::Result<Option<Settled>> {
    let first = match connection.first_byte().await? {
        Some(first) => first,
        None => return Ok(None),
    };
    if first == HANDSHAKE {
        // Newer clients begin with TLS at once; then they have to say what they want to speak within.
        let Some(tls) = tls else { return Ok(None) };
        let secure = tls.accept(connection).await?;
        if secure.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "TLS at once needs the protocol's name"));
        }
        return Ok(Some(secured(secure)));
    }
    for _request in 0..MAX_REQUESTS {
        let mut begin = [0; 8];
        connection.read_exact(&mut begin).await?;
        match (begin, tls) {
            (SSL_REQUEST, Some(tls)) => {
                connection.write_all(b"S").await?;
                // Nothing that came before is taken for something that came within.
                return Ok(Some(secured(tls.accept(connection).await?)));
            }
            (SSL_REQUEST | GSS_REQUEST, _) => connection.write_all(b"N").await?,
            _ => return Ok(Some(plain(connection, &begin))),
        }
    }
    Ok(Some(plain(connection, &[])))
}

fn secured(secure: TlsStream<Connection>) -> Settled {
    Settled { transport: Transport::Secure(Box::new(secure)), read: BytesMut::new() }
}

fn plain(connection: Connection, read: &[u8]) -> Settled {
    Settled { transport: Transport::Plain(connection), read: BytesMut::from(read) }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(inner) => Pin::new(inner).poll_read(context, buffer),
            Self::Secure(inner) => Pin::new(inner).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(inner) => Pin::new(inner).poll_write(context, bytes),
            Self::Secure(inner) => Pin::new(inner).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(inner) => Pin::new(inner).poll_flush(context),
            Self::Secure(inner) => Pin::new(inner).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(inner) => Pin::new(inner).poll_shutdown(context),
            Self::Secure(inner) => Pin::new(inner).poll_shutdown(context),
        }
    }
}
