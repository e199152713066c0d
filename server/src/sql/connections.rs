//! Connections of the doors that have listeners of their own: so many at a time, and none that is silent for long.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use crate::config::SqlConfig;

/// A pause after a connection could not be taken, which mostly is because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether a client has gone whose statement has sent nothing yet.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Takes connections of one door.
#[derive(Debug)]
pub(super) struct Connections {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle_timeout: Duration,
}

impl Connections {
    pub(super) fn new(listener: TcpListener, config: &SqlConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_connections));
        Self { listener, places, idle_timeout: config.idle_timeout }
    }

    /// The next connection, once there is a place for it. What is dropped before it is there was not taken.
    ///
    /// # Errors
    /// When there are no places any more, which is when the server ends.
    pub(super) async fn next(&self) -> io::Result<Connection> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            let taken = self.listener.accept().await;
            // A connection whose options cannot be set has gone already.
            if let Ok((socket, peer)) = taken
                && socket.set_nodelay(true).is_ok()
            {
                let (socket, limit) = (Arc::new(socket), self.idle_timeout);
                return Ok(Connection {
                    socket,
                    peer,
                    silence: Silence { limit, timer: None },
                    _place: place,
                });
            }
            sleep(PAUSE).await;
        }
    }
}

/// A connection with its place. It fails when nothing has come or gone for too long.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Arc<TcpStream>,
    peer: SocketAddr,
    silence: Silence,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The first byte, which stays to be read. None when the client has gone.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut first = [0];
        Ok((self.socket.peek(&mut first).await? > 0).then_some(first[0]))
    }

    /// To look whether the client has gone while nothing is read.
    pub(super) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.socket))
    }
}

/// Looks whether a client has gone.
#[derive(Debug)]
pub(super) struct Watch(Arc<TcpStream>);

impl Watch {
    /// Ready when the client has gone, whatever it has sent before.
    pub(super) async fn gone(&self) {
        loop {
            sleep(LOOK_EVERY).await;
            match self.0.ready(Interest::READABLE).now_or_never() {
                Some(Ok(ready)) if ready.is_read_closed() => return,
                Some(Err(_broken)) => return,
                _ => {}
            }
        }
    }
}

/// How long nothing has come or gone.
#[derive(Debug)]
struct Silence {
    limit: Duration,
    /// Set while somebody waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn broken(&mut self) {
        self.timer = None;
    }

    /// Still nothing: whether that is for too long.
    fn goes_on(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "nothing has come or gone for too long"))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let Poll::Ready(can_read) = self.socket.poll_read_ready(context) else {
                return self.silence.goes_on(context).map(Err);
            };
            can_read?;
            match self.socket.try_read(buffer.initialize_unfilled()) {
                Ok(num_bytes) => {
                    buffer.advance(num_bytes);
                    self.silence.broken();
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let Poll::Ready(can_write) = self.socket.poll_write_ready(context) else {
                return self.silence.goes_on(context).map(Err);
            };
            can_write?;
            match self.socket.try_write(bytes) {
                Ok(num_bytes) => {
                    self.silence.broken();
                    return Poll::Ready(Ok(num_bytes));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Dropping it closes it.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn door(max_connections: usize, idle_timeout: Duration) -> (Connections, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = SqlConfig { max_connections, idle_timeout, ..SqlConfig::default() };
        (Connections::new(listener, &config), address)
    }

    #[tokio::test]
    async fn one_more_waits_for_one_that_ends() {
        let (door, address) = door(1, Duration::from_secs(600)).await;
        let (mut first, _second) =
            (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap());
        let mut taken = door.next().await.unwrap();
        first.write_all(b"hello").await.unwrap();
        let mut hello = [0; 5];
        taken.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        let mut next = Box::pin(door.next());
        assert!(next.as_mut().now_or_never().is_none());
        drop(taken);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn silence_ends_a_connection_in_both_directions() {
        let (door, address) = door(2, Duration::from_millis(10)).await;
        let _client = TcpStream::connect(address).await.unwrap();
        let mut taken = door.next().await.unwrap();
        assert_eq!(taken.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // Nobody reads what is written.
        let error = taken.write_all(&vec![0; 64 * 1024 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_goes_is_missed_even_when_something_is_unread() {
        let (door, address) = door(1, Duration::from_secs(600)).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let taken = door.next().await.unwrap();
        let watch = taken.watch();
        client.write_all(b"unread").await.unwrap();
        assert_eq!(taken.first_byte().await.unwrap(), Some(b'u'));
        assert!(watch.gone().now_or_never().is_none());
        drop(client);
        watch.gone().await;
    }
}
