//! `smtp`: the server that takes e-mails.

use lettre::message::Mailbox;

use crate::config::SmtpTls;
use crate::config::setting::{Setting, parse, unless_none};
use crate::secret::Secret;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "smtp",
        key: "host",
        doc: "name of the server that takes e-mails, or `none`: then there are no e-mails",
        default: "none",
        apply: |config, text| {
            config.smtp.host = unless_none(text);
            Ok(())
        },
    },
    Setting {
        section: "smtp",
        key: "port",
        doc: "port of that server",
        default: "587",
        apply: |config, text| parse(text, "a port").map(|port| config.smtp.port = port),
    },
    Setting {
        section: "smtp",
        key: "tls",
        doc: "`starttls`: the connection is encrypted before anything is said; `implicit`: it is from the first byte, \
              as on port 465; `none`: it is not, for servers on the same machine",
        default: "starttls",
        apply: |config, text| {
            config.smtp.tls = match text {
                "starttls" => SmtpTls::StartTls,
                "implicit" => SmtpTls::Implicit,
                "none" => SmtpTls::None,
                _ => return Err(format!("{text:?} is not starttls, implicit or none")),
            };
            Ok(())
        },
    },
    Setting {
        section: "smtp",
        key: "user",
        doc: "who the server is told that it is, or `none`",
        default: "none",
        apply: |config, text| {
            config.smtp.user = unless_none(text);
            Ok(())
        },
    },
    Setting {
        section: "smtp",
        key: "password",
        doc: "by which it shows that, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| {
            config.smtp.password = unless_none(text).map(Secret::new);
            Ok(())
        },
    },
    Setting {
        section: "smtp",
        key: "from",
        doc: "whom e-mails are from, like `Timberline <alerts@example.org>`, or `none`: then there are no e-mails",
        default: "none",
        apply: |config, text| {
            let from = unless_none(text);
            let is_mailbox = from.as_ref().is_none_or(|from| from.parse::<Mailbox>().is_ok());
            if !is_mailbox {
                return Err(format!("{text:?} is not an e-mail address"));
            }
            config.smtp.from = from;
            Ok(())
        },
    },
];
