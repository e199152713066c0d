//! Deterministic generator of realistic sample data: OpenTelemetry logs and activity (audit) entries.
//!
//! The same spec gives the same bytes on every machine and at any time: all randomness comes from one
//! seeded stream, and nothing reads a clock, the environment or a floating point function whose last
//! digit differs between systems.
//!
//! ```
//! use data::{AttributeKeys, LogGenerator, LogSpec, encode};
//!
//! # fn main() -> Result<(), data::SpecError> {
//! let spec = LogSpec { rows: 2_000, num_attribute_keys: AttributeKeys::K500, ..LogSpec::default() };
//! let mut num_records = 0;
//! for request in LogGenerator::new(spec)? {
//!     num_records += encode::num_records(&request);
//!     let _body: Vec<u8> = encode::to_protobuf(&request);
//! }
//! assert_eq!(num_records, 2_000);
//! # Ok(())
//! # }
//! ```
//!
//! In reading order:
//! * [`LogSpec`] says what to generate, [`Incident`] what goes wrong in it, [`LogGenerator`] does it;
//! * [`encode`] turns requests into OTLP protobuf, OTLP JSON or JSON Lines;
//! * [`ActivitySpec`] and [`ActivityGenerator`] do the same for [`ActivityEntry`];
//! * [`samples`] holds the small checked-in files.
//!
//! It does not know the engine: it speaks OTLP, as any other sender.

mod activity;
pub mod encode;
mod fleet;
mod generator;
mod incident;
mod keys;
mod line;
mod random;
mod requests;
pub mod samples;
mod scenarios;
mod sizing;
mod spec;
mod tail_keys;
mod traffic;

pub use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
pub use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};

pub use activity::{
    Activity, ActivityEntry, ActivityGenerator, ActivitySpec, Actor, Change, ChangeAction, Detail, Trigger,
};
pub use generator::LogGenerator;
pub use incident::{Incident, IncidentKind};
pub use scenarios::service_names;
pub use spec::{AttributeKeys, Incidents, LogSpec, RecordShape, SpecError};
