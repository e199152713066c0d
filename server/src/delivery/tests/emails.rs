//! E-mails, to a server for them that the test plays.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::config::SmtpTls;
use crate::meta::testing::on_every_backend;

/// What somebody has sent, and what was said before.
#[derive(Clone, Debug, Default)]
struct Mail {
    commands: Vec<String>,
    text: String,
}

struct MailServer {
    port: u16,
    got: Arc<Mutex<Vec<Mail>>>,
    _serving: AbortOnDropHandle<()>,
}

/// How recipients are answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Refusing,
    Busy,
    WithLogin,
}

impl MailServer {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let mails = Arc::clone(&got);
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(talk(connection, mood, Arc::clone(&mails)));
            }
        });
        Self { port, got, _serving: AbortOnDropHandle::new(serving) }
    }
}

async fn talk(connection: TcpStream, mood: Mood, got: Arc<Mutex<Vec<Mail>>>) {
    let (reading, mut writing) = connection.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut mail = Mail::default();
    writing.write_all(b"220 mail.example.org\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        mail.commands.push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match (verb.as_str(), mood) {
            ("EHLO", Mood::WithLogin) => "250-mail.example.org\r\n250 AUTH PLAIN\r\n",
            ("EHLO", _) => "250 mail.example.org\r\n",
            ("AUTH", _) => "235 ok\r\n",
            ("RCPT", Mood::Refusing) => "550 no such person inner-words\r\n",
            ("RCPT", Mood::Busy) => "451 later\r\n",
            ("DATA", _) => {
                writing.write_all(b"354 go on\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                got.lock().push(std::mem::take(&mut mail));
                "250 taken\r\n"
            }
            ("QUIT", _) => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        if writing.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn people() -> Target {
    Target::Email { addresses: vec!["ann@example.org".to_owned(), "bob@example.org".to_owned()] }
}

async fn bench_with(meta: Meta, port: u16, user: Option<&str>) -> Bench {
    Bench::with(meta, |config| {
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.port = port;
        config.smtp.tls = SmtpTls::None;
        config.smtp.from = Some("Timberline <alerts@example.org>".to_owned());
        config.smtp.user = user.map(str::to_owned);
        config.smtp.password = user.map(|_| secret("hush"));
    })
    .await
}

#[tokio::test]
async fn an_email_goes_to_all_addresses_with_an_id_that_stays() {
    on_every_backend(|meta| async move {
        let server = MailServer::start(Mood::WithLogin).await;
        let bench = bench_with(meta, server.port, Some("me")).await;
        let id = bench.add(&people()).await;
        let (told, _) = bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 1);
        let mail = server.got.lock().remove(0);
        let said = mail.commands.join("\n");
        assert!(said.contains("AUTH PLAIN"), "{said}");
        assert!(said.contains("MAIL FROM:<alerts@example.org>"), "{said}");
        for to in ["RCPT TO:<ann@example.org>", "RCPT TO:<bob@example.org>"] {
            assert!(said.contains(to), "{said}");
        }
        for line in [
            "Subject: Errors is firing".to_owned(),
            format!("Message-ID: <{told}.{id}@example.org>"),
            "120 rows in 5 minutes".to_owned(),
            "Open logs: https://example.org/logs".to_owned(),
        ] {
            assert!(mail.text.lines().any(|said| said == line), "{line} is not in\n{}", mail.text);
        }
        assert_eq!(bench.destination(id).await.health.last_success_us, Some(NOW_US));
    })
    .await;
}

#[tokio::test]
async fn what_a_server_for_emails_refuses_is_told_by_its_code_and_what_is_busy_is_asked_again() {
    on_every_backend(|meta| async move {
        for (mood, expected, num_waiting) in [
            (Mood::Refusing, "the server for e-mails refuses with code 550", 0),
            (Mood::Busy, "the server for e-mails answers with code 451", 1),
        ] {
            let server = MailServer::start(mood).await;
            let bench = bench_with(meta.clone(), server.port, None).await;
            let id = bench.add(&people()).await;
            bench.tell().await;
            bench.courier.deliver_due().await;
            let reason = bench.destination(id).await.health.last_failure.unwrap();
            assert_eq!((reason.as_str(), bench.num_waiting().await), (expected, num_waiting));
            assert_eq!(server.got.lock().len(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_for_emails_that_is_away_is_asked_again() {
    on_every_backend(|meta| async move {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = gone.local_addr().unwrap().port();
        drop(gone);
        let bench = bench_with(meta, port, None).await;
        let id = bench.add(&people()).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(
            (reason.as_str(), bench.num_waiting().await),
            ("no connection to the server for e-mails", 1)
        );
    })
    .await;
}

#[tokio::test]
async fn without_a_server_for_emails_none_is_sent() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let id = bench.add(&people()).await;
        bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 1);
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(
            (reason.as_str(), bench.num_waiting().await),
            ("this server sends no e-mails any more", 0)
        );
    })
    .await;
}
