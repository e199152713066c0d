//! Makes records even enough that sizes can be compared with those of other data.

use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::keys;
use crate::line::Line;

const TRACED_PER_MILLE: u32 = 400;
const MIN_ATTRIBUTES: usize = 4;
const MAX_ATTRIBUTES: usize = 7;
/// Follows from the service, so leaving it out loses nothing that a size could show.
const LEFT_OUT_OF_RESOURCES: &str = "k8s.namespace.name";

/// Gives a written line its request id, its share of traces and its number of attributes.
pub(crate) fn even_line(line: &mut Line<'_>) {
    let has = |line: &Line<'_>, key: &str| line.attributes.iter().any(|attribute| attribute.key == key);
    if !has(line, keys::REQUEST_ID) {
        line.request_id();
    }
    line.is_traced = line.random.chance(TRACED_PER_MILLE);
    if line.attributes.len() < MIN_ATTRIBUTES && !has(line, keys::PROCESS_ID) {
        let process = line.random.between(1, 60_000);
        line.int(keys::PROCESS_ID, process);
    }
    if line.attributes.len() < MIN_ATTRIBUTES && !has(line, keys::USER_ID) {
        line.text(keys::USER_ID, line.request.user_id());
    }
    while line.attributes.len() > MAX_ATTRIBUTES {
        let last = line.attributes.iter().rposition(|attribute| attribute.key != keys::REQUEST_ID);
        line.attributes.remove(last.expect("BUG: at most one attribute is a request id"));
    }
}

/// Leaves a resource with five attributes.
pub(crate) fn even_resource(resource: &mut Resource) {
    resource.attributes.retain(|attribute| attribute.key != LEFT_OUT_OF_RESOURCES);
}
