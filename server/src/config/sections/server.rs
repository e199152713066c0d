//! `server`: where the server answers, and where its data is.

use crate::config::DEFAULT_DATA_DIR;
use crate::config::setting::{Setting, address, parse, seconds};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "server",
        key: "data_dir",
        doc: "folder that holds everything; made when it does not exist",
        default: DEFAULT_DATA_DIR,
        apply: |config, text| parse(text, "a path").map(|value| config.engine.data_dir = value),
    },
    Setting {
        section: "server",
        key: "listen",
        doc: "address and port of the HTTP API; port 0 picks a free one",
        default: "127.0.0.1:4318",
        apply: |config, text| {
            parse(text, "an address with a port, like 127.0.0.1:4318").map(|value| config.listen = value)
        },
    },
    Setting {
        section: "server",
        key: "grpc_listen",
        doc: "address and port that take OTLP over gRPC, or `none`; port 0 picks a free one",
        default: "none",
        apply: |config, text| {
            let address = match text {
                "none" => Ok(None),
                _ => parse(text, "an address with a port, like 127.0.0.1:4317, or none").map(Some),
            };
            address.map(|value| config.grpc_listen = value)
        },
    },
    Setting {
        section: "server",
        key: "drain_secs",
        doc: "how long a stop waits for requests that are under way, seconds",
        default: "20",
        apply: |config, text| seconds(text).map(|value| config.drain_timeout = value),
    },
    Setting {
        section: "server",
        key: "public_url",
        doc: "where people reach the server, like `https://logs.example.org`, for links in notifications; `none` is \
              `http://` and `server.listen`",
        default: "none",
        apply: |config, text| address(text).map(|value| config.public_url = value),
    },
];
