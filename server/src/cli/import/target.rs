//! Where imported records go.

use engine::ingest::Rejected;
use engine::schema::ProjectId;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use super::parts::PartForm;
use crate::api::ingest::import;
use crate::cli::{CliError, remote};
use crate::config::ServerConfig;
use crate::secret::Secret;
use crate::state::AppState;

/// A place that takes records.
#[derive(Debug)]
pub(super) enum Target {
    Server { client: Client, address: String, token: Secret },
    Folder { state: AppState, project: ProjectId },
}

impl Target {
    pub(super) fn server(url: &str, token: Secret) -> Result<Self, CliError> {
        let address = remote::address(url, "/v1/logs");
        Ok(Self::Server { client: remote::client()?, address, token })
    }

    /// Opens a folder, which must be one already and not be served.
    pub(super) async fn folder(config: &ServerConfig, project: i64) -> Result<Self, CliError> {
        let meta = crate::cli::folder::open_meta(config).await?;
        let found = meta.project(ProjectId(project)).await;
        meta.close().await;
        let project = found?.ok_or(CliError::NoProject { id: project })?.id;
        let (state, _) = AppState::open(config).await?;
        Ok(Self::Folder { state, project })
    }

    /// Makes records durable; what was rejected.
    pub(super) async fn take(&self, body: Vec<u8>, form: PartForm) -> Result<Rejected, CliError> {
        match self {
            Self::Server { client, address, token } => {
                let request =
                    client.post(address).bearer_auth(token.reveal()).header(CONTENT_TYPE, form.media_type());
                let answer = remote::send(request.body(body)).await?;
                rejected(&answer, form).ok_or_else(remote::malformed)
            }
            Self::Folder { state, project } => import(state, *project, body).await.map_err(CliError::Refused),
        }
    }

    /// Makes what was taken durable in its final place.
    pub(super) async fn close(self) -> Result<(), CliError> {
        match self {
            Self::Server { .. } => Ok(()),
            Self::Folder { state, .. } => Ok(state.close().await?),
        }
    }
}

/// What a reply, which has the form of its request, says was rejected. None when it is no reply.
fn rejected(answer: &[u8], form: PartForm) -> Option<Rejected> {
    let (count, reason) = match form {
        PartForm::Protobuf => {
            let partial = ExportLogsServiceResponse::decode(answer).ok()?.partial_success.unwrap_or_default();
            (u64::try_from(partial.rejected_log_records).ok()?, partial.error_message)
        }
        PartForm::Json => {
            let answer: Value = serde_json::from_slice(answer).ok()?;
            let partial = &answer.as_object()?.get("partialSuccess").cloned().unwrap_or_default();
            let count = partial["rejectedLogRecords"].as_str().map_or(Some(0), |count| count.parse().ok())?;
            (count, partial["errorMessage"].as_str().unwrap_or_default().to_owned())
        }
    };
    Some(Rejected { count, first_reason: (count > 0).then_some(reason) })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;

    use super::*;

    #[test]
    fn a_reply_says_what_was_rejected_in_either_form() {
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too large"}}"#;
        let partial =
            ExportLogsPartialSuccess { rejected_log_records: 2, error_message: "too large".to_owned() };
        let protobuf = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        for (answer, form) in [(&json[..], PartForm::Json), (&protobuf, PartForm::Protobuf)] {
            let rejected = rejected(answer, form).unwrap();
            assert_eq!((rejected.count, rejected.first_reason.as_deref()), (2, Some("too large")));
        }
        assert_eq!(rejected(b"{}", PartForm::Json).unwrap().count, 0);
        assert_eq!(rejected(b"", PartForm::Protobuf).unwrap().count, 0);
        assert!(rejected(b"<html>", PartForm::Json).is_none());
        assert!(rejected(b"<html>", PartForm::Protobuf).is_none());
    }
}
