//! E-mails, through the server of the settings.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::outcome::Outcome;
use super::{Message, Notification};
use crate::config::{SmtpConfig, SmtpTls};
use crate::meta::destination::Destination;
use crate::secret::Secret;

/// Longest wait for the server's answer to one command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of a whole e-mail.
const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest subject, characters.
const MAX_SUBJECT: usize = 200;

/// What e-mails are sent with.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why there is no mailer.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// TLS cannot be set up.
    #[error("cannot set up TLS for e-mails: {0}")]
    Tls(#[from] lettre::transport::smtp::Error),
    /// Whom e-mails are from is nobody.
    #[error("setting smtp.from is not an e-mail address")]
    From,
}

impl Mailer {
    /// None when the settings name no server or nobody whom e-mails are from.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(config: &SmtpConfig) -> Result<Option<Self>, MailerError> {
        let (Some(host), Some(from)) = (&config.host, &config.from) else { return Ok(None) };
        let from = from.parse().map_err(|_| MailerError::From)?;
        let tls = match config.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(TlsParameters::new(host.clone())?),
            SmtpTls::Implicit => Tls::Wrapper(TlsParameters::new(host.clone())?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
            .port(config.port)
            .timeout(Some(COMMAND_TIMEOUT))
            .tls(tls);
        if let Some(user) = &config.user {
            let password = config.password.as_ref().map(Secret::reveal).unwrap_or_default();
            transport = transport.credentials(Credentials::new(user.clone(), password.to_owned()));
        }
        Ok(Some(Self { transport: transport.build(), from }))
    }

    /// Sends a notification to all addresses in one e-mail. Its id stays the same in every try.
    pub(super) async fn send(
        &self,
        addresses: &[String],
        (destination, told): (&Destination, &Notification),
    ) -> Outcome {
        let Some(message) = self.message(addresses, destination, told) else {
            return Outcome::refused("the e-mail cannot be written");
        };
        match tokio::time::timeout(SEND_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Outcome::Taken,
            Ok(Err(error)) => of_error(&error),
            Err(_) => Outcome::later("the server for e-mails does not answer"),
        }
    }

    fn message(
        &self,
        addresses: &[String],
        destination: &Destination,
        told: &Notification,
    ) -> Option<lettre::Message> {
        let id = format!("<{}.{}@{}>", told.id, destination.id, self.from.email.domain());
        let mut message = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject(&told.message))
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN);
        for address in addresses {
            message = message.to(Mailbox::new(None, address.parse().ok()?));
        }
        message.body(text(&told.message)).ok()
    }
}

/// The server's own words may have addresses in them, and go nowhere.
fn of_error(error: &lettre::transport::smtp::Error) -> Outcome {
    match error.status() {
        Some(code) if error.is_permanent() => {
            Outcome::refused(format!("the server for e-mails refuses with code {code}"))
        }
        Some(code) => Outcome::later(format!("the server for e-mails answers with code {code}")),
        None => Outcome::later("no connection to the server for e-mails"),
    }
}

fn subject(message: &Message) -> String {
    let line = message.title.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_SUBJECT).collect()
}

fn text(message: &Message) -> String {
    let mut text = format!("{}\n\n", message.title);
    for line in &message.lines {
        text.push_str(line);
        text.push('\n');
    }
    if !message.context.is_empty() {
        text.push_str(&format!("\n{}\n", message.context));
    }
    if let Some((label, url)) = &message.button {
        text.push_str(&format!("\n{label}: {url}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_says_it_in_plain_text() {
        let message = Message {
            title: "Too many\r\nBcc: x@example.org errors".to_owned(),
            lines: vec!["120 rows".to_owned(), "above 100".to_owned()],
            context: "all services".to_owned(),
            button: Some(("Open logs".to_owned(), "https://example.org".to_owned())),
        };
        assert_eq!(subject(&message), "Too many Bcc: x@example.org errors", "a subject is one line");
        assert!(
            text(&message)
                .ends_with("\n\n120 rows\nabove 100\n\nall services\n\nOpen logs: https://example.org\n")
        );
    }
}
