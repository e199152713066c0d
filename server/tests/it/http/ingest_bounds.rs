//! What is not taken: wrong tokens, bodies that are damaged, too large or too many. Nothing of them is stored.

use std::io::Write;

use axum::body::Body;
use axum::http::{Method, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream;
use serde_json::json;

use super::harness::{TestServer, document, record};

const MIB: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn one_record() -> String {
    document("api", &[record(60, "INFO", "one")]).to_string()
}

async fn assert_nothing_stored(server: &TestServer) {
    let has_logs = server.request(Method::GET, "/api/projects/1/logs/has_logs", "").await;
    assert_eq!(has_logs.json(), json!({ "hasLogs": false }));
}

#[tokio::test]
async fn a_missing_or_unknown_token_is_401() {
    let server = TestServer::start().await;
    let long = "a".repeat(65);
    let requests = [
        Request::post("/v1/logs"),
        Request::post("/v1/logs?token="),
        Request::post("/v1/logs?token=phc_unknown"),
        Request::post(format!("/v1/logs?token={long}")),
        Request::post("/v1/logs").header("authorization", ""),
        Request::post("/v1/logs").header("authorization", "Bearer "),
        Request::post("/v1/logs").header("authorization", "Bearer phc_unknown"),
        Request::post("/v1/logs").header("authorization", format!("Bearer {}", server.key())),
        // A header that is there is the only place that counts.
        Request::post(format!("/v1/logs?token={}", server.token()))
            .header("authorization", "Bearer phc_unknown"),
    ];
    for request in requests {
        let request = request.body(Body::from(one_record())).unwrap();
        let told = format!("{} {:?}", request.uri(), request.headers());
        assert_eq!(server.call(request).await.simple_refusal().0, 401, "{told}");
    }
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn a_body_that_is_neither_form_is_400() {
    let server = TestServer::start().await;
    let half = &gzip(one_record().as_bytes())[..40];
    for content_type in ["application/json", "application/x-protobuf", "text/plain"] {
        for body in
            [&b"nonsense"[..], b"{", b"[]", b"\xff\xff\xff", b"{\"resourceLogs\":5}", half, b"\x1f\x8b"]
        {
            let answer = server.send(&[("content-type", content_type)], body.to_vec()).await;
            assert_eq!(answer.simple_refusal().0, 400, "{content_type} {body:?}");
        }
    }
    for (encoding, status) in [("zstd", 400), ("deflate", 400), ("br", 415), ("gzip, gzip", 415)] {
        let answer = server.send(&[("content-encoding", encoding)], "\u{1}nonsense").await;
        assert_eq!(answer.simple_refusal().0, status, "{encoding}");
    }
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn one_bad_line_stores_nothing() {
    let server = TestServer::start().await;
    let body = format!("{}\nnonsense\n{}", one_record(), one_record());
    assert_eq!(server.send(&[], body).await.simple_refusal().0, 400);
    assert_nothing_stored(&server).await;
}

async fn small_server() -> TestServer {
    TestServer::start_with(|config| {
        config.ingest.max_encoded_bytes = MIB;
        config.ingest.max_decompressed_bytes = 4 * MIB;
        config.ingest.max_in_flight_bytes = 5 * MIB;
    })
    .await
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_413() {
    let server = small_server().await;
    let declared = server.send(&[], vec![b' '; MIB + 1]).await;
    assert_eq!(declared.simple_refusal(), (413, "the request body is larger than 1048576 bytes".into()));
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
    let streamed = server.send(&[], Body::from_stream(stream::iter(chunks))).await;
    assert_eq!(streamed.simple_refusal().0, 413);
    assert_nothing_stored(&server).await;
}

#[tokio::test]
async fn a_decompression_bomb_stops_at_the_limit() {
    let server = small_server().await;
    let bomb = gzip(&vec![b' '; 64 * MIB]);
    assert!(bomb.len() < MIB, "the bomb itself is within the limit");
    let expected = (413, "the decompressed body is larger than 4194304 bytes".to_owned());
    assert_eq!(server.send(&[], bomb).await.simple_refusal(), expected);
    let bomb = zstd::encode_all(&vec![0; 64 * MIB][..], 3).unwrap();
    assert_eq!(server.send(&[("content-encoding", "zstd")], bomb).await.simple_refusal(), expected);
    assert_nothing_stored(&server).await;
    assert_eq!(server.send(&[], one_record()).await.status, 200, "what the bombs held was given back");
}

/// Two senders that hold the whole budget between them and never finish.
#[tokio::test]
async fn beyond_the_budget_a_sender_is_asked_to_come_back() {
    let server = TestServer::start_with(|config| {
        config.ingest.max_encoded_bytes = MIB;
        config.ingest.max_decompressed_bytes = MIB;
        config.ingest.max_in_flight_bytes = 2 * MIB;
    })
    .await;
    let router = server::app(server.state.clone());
    let mut held = Vec::new();
    for _ in 0..2 {
        let (sender, chunks) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = Body::from_stream(stream::unfold(chunks, async |mut chunks| {
            Some((chunks.recv().await?, chunks))
        }));
        let request = Request::post(format!("/v1/logs?token={}", server.token())).body(body).unwrap();
        let sending = tokio::spawn(tower::ServiceExt::oneshot(router.clone(), request));
        sender.send(Ok(vec![b' '; MIB])).await.unwrap();
        // The channel holds one: there is room again only when the server has read the first and asks for more.
        sender.send(Ok(Vec::new())).await.unwrap();
        let _room = sender.reserve().await.unwrap();
        held.push((sending, sender.clone()));
    }
    let answer = server.send(&[], one_record()).await;
    assert_eq!(answer.simple_refusal().0, 503);
    assert_eq!(answer.header("retry-after"), "1");

    for (sending, sender) in held {
        sending.abort();
        let _aborted = sending.await;
        drop(sender);
    }
    assert_eq!(server.send(&[], one_record()).await.status, 200, "what they held was given back");
}
