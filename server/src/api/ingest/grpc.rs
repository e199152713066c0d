//! OTLP over gRPC: `LogsService/Export`, on a listener of its own, through the same steps as over HTTP.
//!
//! The message stays bytes until the engine decodes it: no generated message is built on the way.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use super::compression::ContentEncoding;
use super::format::{Format, protobuf_reply};
use super::{BUSY, Form, ReceivedBody, authorize, body, body_limits, store};
use crate::error::ApiError;
use crate::state::AppState;

/// The one method.
const EXPORT_PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// The method; any other is answered "unimplemented".
pub(crate) fn router() -> Router<AppState> {
    Router::new().route(EXPORT_PATH, post(export)).fallback(unimplemented)
}

async fn unimplemented() -> Response {
    Status::unimplemented("this address takes OTLP logs only").into_http::<Body>().into_response()
}

async fn export(State(state): State<AppState>, request: Request) -> Response {
    match answer(&state, request).await {
        Ok(response) => response,
        Err(error) => refused(&state, error).into_http::<Body>().into_response(),
    }
}

async fn answer(state: &AppState, request: Request) -> Result<Response, ApiError> {
    let (parts, stream) = request.into_parts();
    let project = authorize(state, &parts).await?;
    let mut reservation = state.ingest_budget().reservation();
    let message = body::read(stream, &parts.headers, body_limits(state), &mut reservation).await?;
    let max_bytes = state.config().ingest.max_decompressed_bytes;
    let mut grpc = tonic::server::Grpc::new(BytesCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(max_bytes);
    let service = tower::service_fn(move |request: tonic::Request<Bytes>| {
        let state = state.clone();
        async move {
            let mut reservation = state.ingest_budget().reservation();
            let num_bytes = request.get_ref().len();
            reservation.grow(num_bytes).map_err(|_| Status::unavailable(BUSY))?;
            let body = ReceivedBody {
                bytes: request.into_inner().into(),
                // The library has decompressed the message already.
                encoding: ContentEncoding::IdentityOrGzip,
                form: Form::Otlp { declared: Some(Format::Protobuf) },
                reservation,
            };
            let (rejected, _) = store(&state, project, body).await.map_err(|error| refused(&state, error))?;
            state.telemetry().note_ingest(&Ok(()));
            Ok(tonic::Response::new(Bytes::from(protobuf_reply(&rejected))))
        }
    });
    let request = axum::http::Request::from_parts(parts, Body::from(message));
    Ok(grpc.unary(service, request).await.map(Body::new))
}

/// Counts an error, and says what it is over gRPC.
fn refused(state: &AppState, error: ApiError) -> Status {
    let outcome = Err::<(), _>(error);
    state.telemetry().note_ingest(&outcome);
    outcome.map_or_else(status_of, |()| Status::ok(""))
}

/// What an error is over gRPC. OTLP clients send again after "unavailable" and give up after the others.
fn status_of(error: ApiError) -> Status {
    let code = match error.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::PAYLOAD_TOO_LARGE => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Code::Unavailable
        }
        status if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    };
    error.log();
    Status::new(code, error.detail())
}

/// A message as its bytes.
#[derive(Clone, Copy, Debug)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
