//! Machines: kernel messages, sshd and the service manager, in the style of syslog.

use chrono::DateTime;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use crate::keys;
use crate::line::{Line, say};

const ACCOUNTS: [&str; 6] = ["root", "admin", "deploy", "oracle", "test", "ubuntu"];
const UNITS: [&str; 5] = [
    "containerd.service",
    "chronyd.service",
    "node-exporter.service",
    "logrotate.service",
    "kubelet.service",
];

/// One of the three, sshd most often.
pub(super) fn node(line: &mut Line<'_>) {
    let process = line.random.between(300, 400_000);
    match line.random.below(10) {
        0..5 => sshd(line, process),
        5..8 => service_manager(line, process),
        _ => kernel(line),
    }
    line.text(keys::CLIENT_ADDRESS, line.request.client_address());
}

fn sshd(line: &mut Line<'_>, process: u32) {
    let account = line.random.pick(&ACCOUNTS);
    let client = line.request.client_address();
    let port = line.random.between(1_024, 65_535);
    let text = if line.random.chance(800) {
        line.severity = SeverityNumber::Warn;
        line.text(keys::ERROR_TYPE, "auth_failure");
        format!("Failed password for invalid user {account} from {client} port {port} ssh2")
    } else {
        let fingerprint = line.random.word();
        format!(
            "Accepted publickey for deploy from {client} port {port} ssh2: ED25519 SHA256:{fingerprint:016x}"
        )
    };
    say(line, &format!("sshd[{process}]"), &text);
    line.int(keys::PROCESS_ID, process);
    line.list(keys::TAGS, &["syslog", "authpriv"]);
}

fn service_manager(line: &mut Line<'_>, process: u32) {
    let unit = line.random.pick(&UNITS);
    let has_failed = line.fails();
    let text = if has_failed {
        line.severity = SeverityNumber::Error;
        line.text(keys::ERROR_TYPE, "exit-code");
        format!("{unit}: Main process exited, code=exited, status={}/FAILURE", line.random.between(1, 203))
    } else {
        format!("{unit}: Deactivated successfully, consumed {}ms CPU time", line.random.between(3, 90_000))
    };
    say(line, "systemd[1]", &text);
    line.int(keys::PROCESS_ID, process);
    line.list(keys::TAGS, &["syslog", "daemon"]);
}

fn kernel(line: &mut Line<'_>) {
    let uptime = format!("[{:>6}.{:06}]", line.random.below(900_000), line.random.below(1_000_000));
    let text = if line.fails() {
        line.severity = SeverityNumber::Fatal;
        line.text(keys::ERROR_TYPE, "oom_kill");
        format!(
            "{uptime} Out of memory: Killed process {} (java) total-vm:{}kB, anon-rss:{}kB",
            line.random.between(300, 40_000),
            line.random.between(4_000_000, 9_000_000),
            line.random.between(1_000_000, 3_900_000)
        )
    } else {
        let port = line.random.between(1_024, 65_535);
        format!("{uptime} TCP: request_sock_TCP: Possible SYN flooding on port {port}. Sending cookies.")
    };
    say(line, "kernel", &text);
    line.int(keys::PROCESS_ID, 0);
    line.list(keys::TAGS, &["syslog", "kern"]);
}

fn say(line: &mut Line<'_>, program: &str, text: &str) {
    let time = DateTime::from_timestamp_micros(line.time_us).unwrap_or_default();
    let time = time.format("%b %e %H:%M:%S");
    say!(line, "{time} {} {program}: {text}", line.instance.host);
}
