//! The two forms of an OTLP request: which one a body has, and the reply in the same form.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use engine::ErrorKind;
use engine::ingest::{DecodedLogs, RecordLimits, Rejected, decode_otlp_json, decode_otlp_protobuf};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message;
use serde_json::json;

/// A form of an OTLP request and of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Protobuf,
    /// One document, or one per line.
    Json,
}

impl Format {
    /// What the sender says the body is; senders are not always right.
    pub(super) fn from_content_type(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
        if content_type.contains("json") {
            Some(Self::Json)
        } else if content_type.contains("protobuf") {
            Some(Self::Protobuf)
        } else {
            None
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Protobuf => Self::Json,
            Self::Json => Self::Protobuf,
        }
    }

    fn decode(self, body: &[u8], received_us: i64, limits: &RecordLimits) -> engine::Result<DecodedLogs> {
        match self {
            Self::Protobuf => decode_otlp_protobuf(body, received_us, limits),
            Self::Json => decode_otlp_json(body, received_us, limits),
        }
    }

    /// The reply to records that were taken in, except for those that were rejected.
    pub(super) fn success(self, rejected: &Rejected) -> Response {
        let (body, content_type) = match self {
            Self::Protobuf => (protobuf_reply(rejected), "application/x-protobuf"),
            Self::Json => (json_reply(rejected), "application/json"),
        };
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// Decodes a body in the form that its sender says, or else in the other one.
///
/// # Errors
/// When it is neither; the error is that of the form that was tried first.
pub(super) fn decode(
    body: &[u8],
    declared: Option<Format>,
    received_us: i64,
    limits: &RecordLimits,
) -> engine::Result<(DecodedLogs, Format)> {
    let first = declared.unwrap_or(Format::Protobuf);
    let decode = |format: Format| format.decode(body, received_us, limits).map(|logs| (logs, format));
    let (logs, detected) = decode(first).or_else(|error| match error.kind() {
        ErrorKind::InvalidRequest => decode(first.other()).map_err(|_| error),
        // It has the form, and something else is wrong with it.
        _ => Err(error),
    })?;
    // The reply has the form that was declared, even if the body turned out to have the other one.
    Ok((logs, declared.unwrap_or(detected)))
}

pub(super) fn protobuf_reply(rejected: &Rejected) -> Vec<u8> {
    let partial_success = (rejected.count > 0).then(|| ExportLogsPartialSuccess {
        rejected_log_records: i64::try_from(rejected.count).unwrap_or(i64::MAX),
        error_message: rejected.first_reason.clone().unwrap_or_default(),
    });
    ExportLogsServiceResponse { partial_success }.encode_to_vec()
}

/// Protobuf's JSON form writes 64-bit integers as text.
fn json_reply(rejected: &Rejected) -> Vec<u8> {
    let reply = if rejected.count == 0 {
        json!({})
    } else {
        json!({ "partialSuccess": {
            "rejectedLogRecords": rejected.count.to_string(),
            "errorMessage": rejected.first_reason.as_deref().unwrap_or_default(),
        } })
    };
    reply.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_declares_the_form() {
        for (content_type, expected) in [
            ("application/json", Some(Format::Json)),
            ("Application/JSON; charset=utf-8", Some(Format::Json)),
            ("application/x-ndjson", Some(Format::Json)),
            ("application/x-protobuf", Some(Format::Protobuf)),
            ("application/octet-stream", None),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            assert_eq!(Format::from_content_type(&headers), expected, "{content_type}");
        }
        assert_eq!(Format::from_content_type(&HeaderMap::new()), None);
    }

    #[test]
    fn full_success_says_nothing() {
        let rejected = Rejected { count: 0, first_reason: None };
        assert_eq!(json_reply(&rejected), b"{}");
        assert_eq!(protobuf_reply(&rejected), b"");
    }

    #[test]
    fn partial_success_says_how_many_and_why() {
        let rejected = Rejected { count: 3, first_reason: Some("too large".into()) };
        assert_eq!(
            String::from_utf8(json_reply(&rejected)).unwrap(),
            r#"{"partialSuccess":{"errorMessage":"too large","rejectedLogRecords":"3"}}"#
        );
        let reply = ExportLogsServiceResponse::decode(&protobuf_reply(&rejected)[..]).unwrap();
        let partial = reply.partial_success.unwrap();
        assert_eq!((partial.rejected_log_records, partial.error_message.as_str()), (3, "too large"));
    }
}
