//! The 20 log attribute keys that every data set has, in the words of OpenTelemetry's conventions.

pub(crate) const METHOD: &str = "http.request.method";
pub(crate) const STATUS: &str = "http.response.status_code";
pub(crate) const RESPONSE_SIZE: &str = "http.response.body.size";
pub(crate) const PATH: &str = "url.path";
pub(crate) const CLIENT_ADDRESS: &str = "client.address";
pub(crate) const REQUEST_ID: &str = "request.id";
pub(crate) const USER_ID: &str = "user.id";
pub(crate) const DURATION_MS: &str = "duration_ms";
pub(crate) const DB_OPERATION: &str = "db.operation.name";
pub(crate) const DB_COLLECTION: &str = "db.collection.name";
pub(crate) const DB_ROWS: &str = "db.response.returned_rows";
pub(crate) const DESTINATION: &str = "messaging.destination.name";
pub(crate) const OFFSET: &str = "messaging.kafka.offset";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const CACHE_HIT: &str = "cache.hit";
pub(crate) const TAGS: &str = "tags";
pub(crate) const AMOUNT: &str = "payment.amount";
pub(crate) const CURRENCY: &str = "payment.currency";
pub(crate) const JOB: &str = "job.name";
pub(crate) const PROCESS_ID: &str = "process.pid";
