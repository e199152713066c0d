//! A message broker and a worker that consumes from it.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const TOPICS: [&str; 6] =
    ["orders.events", "payments.events", "stock.changes", "email.outbox", "audit.trail", "search.updates"];

/// The broker's view: segments, leaders, lagging groups.
pub(super) fn kafka(line: &mut Line<'_>) {
    let topic = line.random.pick(&TOPICS);
    let partition = line.random.below(24);
    let offset = i64::from(line.random.below(2_000_000_000));
    let duration_us = line.takes_us(3_000);
    if line.fails() {
        line.severity = SeverityNumber::Error;
        let broker = line.random.below(3);
        say!(
            line,
            "[ReplicaFetcher replicaId={broker}] Error for partition {topic}-{partition} at offset {offset}: NOT_LEADER_OR_FOLLOWER"
        );
        line.text(keys::ERROR_TYPE, "NOT_LEADER_OR_FOLLOWER");
    } else if line.random.chance(80) {
        line.severity = SeverityNumber::Warn;
        let lag = line.random.between(1_000, 400_000);
        say!(
            line,
            "[GroupCoordinator] Consumer group {topic}-consumers lags {lag} messages behind on {topic}-{partition}, offset {offset}"
        );
        line.list(keys::TAGS, &["lag", topic]);
    } else {
        say!(
            line,
            "[UnifiedLog partition={topic}-{partition}, dir=/var/lib/kafka] Rolled new log segment at offset {offset} in {duration_us}us"
        );
    }
    line.text(keys::DESTINATION, topic);
    line.int(keys::OFFSET, offset);
    line.int(keys::PROCESS_ID, 1);
    line.duration(duration_us);
}

/// One e-mail per message.
pub(super) fn email_worker(line: &mut Line<'_>) {
    line.is_traced = line.random.chance(600);
    let message = line.request_id();
    let template =
        line.random.pick(&["order_confirmation", "password_reset", "newsletter", "shipping_notice"]);
    let duration_us = line.takes_us(120_000);
    let user = line.request.user_id();
    if line.fails() {
        let attempt = line.random.between(1, 5);
        line.severity = if attempt == 5 { SeverityNumber::Error } else { SeverityNumber::Warn };
        say!(
            line,
            "delivery of {template} to {user} failed: 451 4.7.1 greylisted, attempt {attempt} of 5, message {message}"
        );
        line.text(keys::ERROR_TYPE, "smtp_451");
    } else {
        say!(line, "sent {template} to {user} as message {message} in {duration_us}us, queue email.outbox");
    }
    line.text(keys::DESTINATION, "email.outbox");
    line.int(keys::OFFSET, line.request.item);
    line.text(keys::USER_ID, user);
    line.duration(duration_us);
}
