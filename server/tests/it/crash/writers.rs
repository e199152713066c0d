//! Concurrent senders of unique records.

use reqwest::{Client, header};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ledger::{SentRequest, body_of};
use super::process::{Folder, Running};
use crate::oracle::sent::{Encoding, Group, Record, Value, encode};

/// Senders at the same time.
const NUM_WRITERS: usize = 4;

/// Senders that run until the server is gone.
pub(super) struct Writers {
    writers: Vec<JoinHandle<Vec<SentRequest>>>,
    num_acks: watch::Receiver<u32>,
}

impl Writers {
    pub(super) fn start(round: usize, server: &Running, folder: &Folder) -> Self {
        let (acks, num_acks) = watch::channel(0);
        let writers = (0..NUM_WRITERS).map(|writer| {
            let name = format!("{round}-{writer}");
            let (url, token) = (format!("{}/v1/logs", server.url), folder.ingest_token.clone());
            tokio::spawn(write(name, url, token, acks.clone()))
        });
        Self { writers: writers.collect(), num_acks }
    }

    /// Waits until so many requests were acknowledged.
    pub(super) async fn acknowledged(&self, num_acks: u32) {
        let mut counter = self.num_acks.clone();
        counter
            .wait_for(|count| *count >= num_acks)
            .await
            .expect("the writers go on until the server is gone");
    }

    /// All requests of all writers, once the server is gone.
    pub(super) async fn finish(self) -> Vec<SentRequest> {
        let mut requests = Vec::new();
        for writer in self.writers {
            requests.extend(writer.await.expect("a writer that does not panic"));
        }
        requests
    }
}

/// A client without proxies and without limits of its own.
pub(super) fn client() -> Client {
    Client::builder().no_proxy().build().expect("a client")
}

/// Sends request after request until one gets no answer.
async fn write(name: String, url: String, token: String, acks: watch::Sender<u32>) -> Vec<SentRequest> {
    let client = client();
    let mut requests = Vec::new();
    for number in 0.. {
        let ids: Vec<String> = (0..1 + number % 20).map(|index| format!("{name}-{number}-{index}")).collect();
        let request = client.post(&url).bearer_auth(&token).body(export_request(&ids));
        let sent = request.header(header::CONTENT_TYPE, Encoding::Protobuf.content_type()).send().await;
        let status = sent.ok().map(|response| response.status().as_u16());
        requests.push(SentRequest { ids, is_acknowledged: status == Some(200) });
        match status {
            Some(200) => acks.send_modify(|count| *count += 1),
            Some(503) => {}
            Some(other) => panic!("an export was answered with {other}"),
            None => break,
        }
    }
    requests
}

/// Records over several services, hours and days, so that a flush makes several files.
fn export_request(ids: &[String]) -> Vec<u8> {
    let record = |(index, id): (usize, &String)| Record {
        time_nanos: 1_765_886_400_000_000_000 - index as u64 * 7 * 3_600_000_000_000,
        severity_number: 9,
        body: Some(Value::Text(body_of(id))),
        attributes: vec![("record.id".to_owned(), Value::Text(id.clone()))],
        ..Record::default()
    };
    let groups: Vec<Group> = ids
        .chunks(6)
        .enumerate()
        .map(|(index, ids)| Group {
            resource: vec![("service.name".to_owned(), Value::Text(format!("service-{index}")))],
            scope: None,
            records: ids.iter().enumerate().map(record).collect(),
        })
        .collect();
    encode(&groups, Encoding::Protobuf)
}
