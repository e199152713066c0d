//! Sign-in, tokens and sessions.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const METHODS: [&str; 4] = ["password", "passkey", "oidc", "refresh_token"];
const REFUSALS: [(&str, &str); 4] = [
    ("invalid_password", "password does not match"),
    ("unknown_user", "no such account"),
    ("expired_token", "refresh token expired"),
    ("mfa_failed", "second factor was rejected"),
];

/// Logins that work, logins that do not, and sessions that end.
pub(super) fn auth(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(900);
    let user = line.request.user_id();
    let client = line.request.client_address();
    if line.fails() {
        refused(line, &user, &client);
    } else if line.random.chance(300) {
        let minutes = line.random.between(1, 720);
        say!(
            line,
            "session {:016x} of user {user} ended after {minutes} minutes of inactivity, {} tokens revoked",
            line.random.word(),
            line.random.between(1, 4)
        );
        line.event_name = "session.ended";
    } else {
        let method = line.random.pick(&METHODS);
        let duration_us = line.takes_us(45_000);
        say!(
            line,
            "user {user} authenticated with {method} from {client}, session {:016x}, token valid for 3600s",
            line.random.word()
        );
        line.event_name = "session.started";
        line.duration(duration_us);
        line.list(keys::TAGS, &["login", method]);
    }
    line.text(keys::USER_ID, user);
    line.text(keys::CLIENT_ADDRESS, client);
    line.request_id();
}

fn refused(line: &mut Line<'_>, user: &str, client: &str) {
    let (error_type, sentence) = REFUSALS[line.random.index(REFUSALS.len())];
    let attempt = line.random.between(1, 8);
    let is_locked = attempt > 5;
    line.severity = if is_locked { SeverityNumber::Error } else { SeverityNumber::Warn };
    let outcome = if is_locked { "account locked for 15 minutes" } else { "retry allowed" };
    say!(
        line,
        "authentication of user {user} from {client} refused: {sentence}, attempt {attempt}, {outcome}"
    );
    line.text(keys::ERROR_TYPE, error_type);
    line.int(keys::STATUS, 401);
}
