//! The PostgreSQL protocol byte by byte: what no driver would send, and when.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Doors;

/// A statement that sends nothing for as long as it runs.
const SILENT: &str = "SELECT count(*) FROM generate_series(1, 1000000000000)";

/// A connection without a driver.
struct Raw {
    socket: TcpStream,
}

impl Raw {
    async fn connect(doors: &Doors) -> Self {
        Self { socket: TcpStream::connect(doors.postgres).await.unwrap() }
    }

    /// Logs in, and tells the number and the secret that end statements of this connection.
    async fn log_in(doors: &Doors) -> (Self, Vec<u8>) {
        let mut raw = Self::connect(doors).await;
        raw.send_first(b"\0\x03\0\0user\0ann\0database\x001\0\0").await;
        assert_eq!(raw.read().await, Some((b'R', b"\0\0\0\x03".to_vec())), "the password is asked for");
        raw.send(b'p', format!("{}\0", doors.server.key()).as_bytes()).await;
        let mut secret = Vec::new();
        loop {
            match raw.read().await.expect("a message") {
                (b'K', body) => secret = body,
                (b'Z', _) => return (raw, secret),
                (kind, body) => assert_ne!(kind, b'E', "{}", String::from_utf8_lossy(&body)),
            }
        }
    }

    async fn send_first(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap();
        self.write(&[&length.to_be_bytes()[..], body].concat()).await;
    }

    async fn send(&mut self, kind: u8, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).unwrap();
        self.write(&[&[kind], &length.to_be_bytes()[..], body].concat()).await;
    }

    /// What the server does not take any more is lost.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes).await;
    }

    async fn query(&mut self, sql: &str) {
        self.send(b'Q', format!("{sql}\0").as_bytes()).await;
    }

    /// The next message; none when the server has ended the connection.
    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.socket.read_u8().await.ok()?;
        let length = self.socket.read_u32().await.ok()?;
        let mut body = vec![0; length as usize - 4];
        self.socket.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }

    /// The code of the next error, whatever comes before it.
    async fn error(&mut self) -> Option<String> {
        loop {
            let (kind, body) = self.read().await?;
            if kind == b'E' {
                let code = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"));
                return Some(String::from_utf8(code.unwrap().to_vec()).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_statement_is_ended_by_its_secret_and_no_other() {
    let doors = Doors::open().await;
    let (mut raw, secret) = Raw::log_in(&doors).await;
    raw.query(SILENT).await;
    doors.until_latest_is("running").await;
    let cancel = async |secret: &[u8]| {
        let mut other = Raw::connect(&doors).await;
        other.send_first(&[b"\x04\xd2\x16\x2e", secret].concat()).await;
        assert_eq!(other.read().await, None, "such a request has no answer");
    };
    let mut wrong = secret.clone();
    wrong[7] ^= 1;
    cancel(&wrong).await;
    assert_eq!(doors.states().await[0], "running");
    cancel(&secret).await;
    assert_eq!(raw.error().await.as_deref(), Some("57014"));
    assert_eq!(raw.read().await.unwrap().0, b'Z', "the connection goes on");
    raw.query("SELECT 1").await;
    assert_eq!(raw.read().await.unwrap().0, b'T');
    doors.close().await;
}

#[tokio::test]
async fn a_client_that_goes_ends_a_statement_that_has_sent_nothing() {
    let doors = Doors::open().await;
    let (mut raw, _) = Raw::log_in(&doors).await;
    raw.query(SILENT).await;
    doors.until_latest_is("running").await;
    drop(raw);
    doors.until_latest_is("given_up").await;
    doors.close().await;
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection_and_nothing_else() {
    let doors = Doors::open().await;
    for first in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\0\0\0\x03",
        b"\xff\xff\xff\xff\0\x03\0\0",
        b"\0\0\0\x09\0\x07\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut raw = Raw::connect(&doors).await;
        raw.write(first).await;
        while raw.read().await.is_some() {}
    }
    for message in [
        &b"z\0\0\0\x04"[..],
        b"Q\0\0\0\x03",
        b"Q\0\0\0\x08abcd",
        b"Q\x7f\xff\xff\xffabcd",
        b"P\0\0\0\x08\0\0\xff\xff",
        b"B\0\0\0\x0c\0\0\0\0\xff\xff\0\0",
        b"E\0\0\0\x05\0",
        b"D\0\0\0\x04",
        b"F\0\0\0\x08\0\0\0\0",
    ] {
        let (mut raw, _) = Raw::log_in(&doors).await;
        raw.write(message).await;
        assert_eq!(raw.error().await.as_deref(), Some("08P01"), "{message:?}");
        while raw.read().await.is_some() {}
    }
    // Before anybody has said who they are.
    let mut raw = Raw::connect(&doors).await;
    raw.send_first(b"\0\x03\0\0user\0ann\0\0").await;
    raw.read().await.unwrap();
    raw.query("SELECT 1").await;
    assert_eq!(raw.error().await.as_deref(), Some("08P01"));
    assert_eq!(raw.read().await.map(|(kind, _)| kind).filter(|kind| *kind != b'Z'), None);
    let (mut raw, _) = Raw::log_in(&doors).await;
    raw.query("SELECT count(*) FROM logs").await;
    assert_eq!(raw.read().await.unwrap().0, b'T', "others are answered");
    doors.close().await;
}

#[tokio::test]
async fn what_a_connection_keeps_is_bounded() {
    let doors = Doors::open().await;
    let (mut raw, _) = Raw::log_in(&doors).await;
    // Each statement has its name and no parameters; nothing has to be planned for these.
    for number in 0..300 {
        raw.send(b'P', format!("s{number}\0COMMIT\0\0\0").as_bytes()).await;
        raw.send(b'S', b"").await;
    }
    assert_eq!(raw.error().await.as_deref(), Some("53400"));
    let (mut raw, _) = Raw::log_in(&doors).await;
    for number in 0..5 {
        raw.query(&format!("DECLARE c{number} CURSOR FOR SELECT 1")).await;
    }
    assert_eq!(raw.error().await.as_deref(), Some("53400"));
    // `DEALLOCATE` makes room, and leaves cursors alone.
    let (mut raw, _) = Raw::log_in(&doors).await;
    raw.query("DECLARE c CURSOR FOR SELECT 1").await;
    raw.send(b'P', b"s\0SELECT 1\0\0\0").await;
    raw.send(b'S', b"").await;
    raw.query("DEALLOCATE s; FETCH 1 FROM c").await;
    raw.send(b'D', b"Ss\0").await;
    raw.send(b'S', b"").await;
    assert_eq!(raw.error().await.as_deref(), Some("26000"));
    doors.close().await;
}
