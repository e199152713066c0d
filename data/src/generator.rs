//! Turns a spec into export requests, one at a time.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};

use crate::fleet::Fleet;
use crate::incident::{Incident, IncidentKind};
use crate::line::{Conditions, Line};
use crate::random::Random;
use crate::requests::{Request, Requests};
use crate::scenarios::{SERVICES, ServicePicker};
use crate::sizing;
use crate::spec::{LogSpec, RecordShape, SpecError};
use crate::tail_keys::TailKeys;
use crate::traffic::Traffic;

/// Error rate of a service in an error burst.
const BURST_ERROR_PER_MILLE: u32 = 450;
const LATENCY_STEP_FACTOR: u32 = 8;
/// Collectors observe a record some milliseconds after it happened.
const MAX_OBSERVED_LATER_US: u32 = 40_000;

/// Makes the log records of a [`LogSpec`], as OTLP export requests of a collector.
///
/// Each request holds the next records in time, grouped by resource: no record of a request is older than
/// any record of an earlier one, and within a resource of a request times rise. Memory is bounded by one
/// request, whatever the number of rows.
#[derive(Clone, Debug)]
pub struct LogGenerator {
    spec: LogSpec,
    incidents: Vec<Incident>,
    random: Random,
    traffic: Traffic,
    picker: ServicePicker,
    fleet: Fleet,
    requests: Requests,
    tail_keys: TailKeys,
    next_row: u64,
    /// Records of the request under construction by resource, kept to reuse the outer vector.
    by_resource: Vec<Vec<LogRecord>>,
}

impl LogGenerator {
    /// Prepares the generation; the resources of all services are made here.
    ///
    /// # Errors
    /// A field of the spec that is out of its bounds, see [`LogSpec::validate`].
    pub fn new(spec: LogSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let incidents = spec.incidents();
        let mut fleet = Fleet::new(&mut Random::new(spec.seed, 0), &incidents);
        if spec.shape == RecordShape::Sizing {
            fleet.resources.iter_mut().for_each(sizing::even_resource);
        }
        let mut random = Random::new(spec.seed, 1);
        Ok(Self {
            traffic: Traffic::new(spec.start_us, spec.end_us, spec.rows),
            picker: ServicePicker::new(),
            requests: Requests::new(&mut random),
            tail_keys: TailKeys::new(spec.num_attribute_keys),
            by_resource: vec![Vec::new(); fleet.resources.len()],
            next_row: 0,
            spec,
            incidents,
            random,
            fleet,
        })
    }

    /// What is being generated.
    pub fn spec(&self) -> &LogSpec {
        &self.spec
    }

    fn write_next_record(&mut self) {
        let jitter = self.random.word() as u32;
        let time_us = self.traffic.time_us(self.next_row, jitter);
        self.next_row += 1;
        let service = self.picker.pick(&mut self.random, time_us);
        let request = self.requests.next(&mut self.random);
        let instances = &self.fleet.instances[service];
        let instance = &instances[self.random.index(instances.len())];
        let conditions = self.conditions(service, time_us);
        let mut line = Line::new(&mut self.random, request, instance, conditions, time_us);
        (SERVICES[service].write)(&mut line);
        if self.spec.shape == RecordShape::Sizing {
            sizing::even_line(&mut line);
        }
        self.tail_keys.add(service, &mut line);
        let record = finish(line, &request, service);
        self.by_resource[instance.resource_at(time_us)].push(record);
    }

    fn conditions(&self, service: usize, time_us: i64) -> Conditions {
        let service = &SERVICES[service];
        let mut conditions = Conditions { error_per_mille: service.error_per_mille, latency_factor: 1 };
        for incident in &self.incidents {
            if incident.covers(time_us) && incident.services.contains(&service.name) {
                match incident.kind {
                    IncidentKind::ErrorBurst => conditions.error_per_mille = BURST_ERROR_PER_MILLE,
                    IncidentKind::LatencyStep => conditions.latency_factor = LATENCY_STEP_FACTOR,
                    // The fleet knows: the version is a matter of the resource.
                    IncidentKind::Deploy => {}
                }
            }
        }
        conditions
    }

    fn take_request(&mut self) -> ExportLogsServiceRequest {
        let mut resource_logs = Vec::new();
        for (index, records) in self.by_resource.iter_mut().enumerate() {
            if records.is_empty() {
                continue;
            }
            let service = &SERVICES[self.fleet.services[index]];
            let scope = InstrumentationScope {
                name: service.scope.0.to_owned(),
                version: service.scope.1.to_owned(),
                ..InstrumentationScope::default()
            };
            let log_records = std::mem::take(records);
            let scope_logs = vec![ScopeLogs { scope: Some(scope), log_records, schema_url: String::new() }];
            let resource = Some(self.fleet.resources[index].clone());
            resource_logs.push(ResourceLogs { resource, scope_logs, schema_url: String::new() });
        }
        ExportLogsServiceRequest { resource_logs }
    }
}

impl Iterator for LogGenerator {
    type Item = ExportLogsServiceRequest;

    fn next(&mut self) -> Option<ExportLogsServiceRequest> {
        let num_left = self.spec.rows - self.next_row;
        if num_left == 0 {
            return None;
        }
        for _ in 0..num_left.min(u64::from(self.spec.records_per_request)) {
            self.write_next_record();
        }
        Some(self.take_request())
    }
}

fn finish(line: Line<'_>, request: &Request, service: usize) -> LogRecord {
    let observed_us = line.time_us + i64::from(line.random.below(MAX_OBSERVED_LATER_US));
    let (trace_id, span_id) = if line.is_traced {
        (request.trace_id.to_vec(), line.random.id::<8>().to_vec())
    } else {
        (Vec::new(), Vec::new())
    };
    let (severity_number, severity_text) = SERVICES[service].severity_form.write(line.severity);
    LogRecord {
        time_unix_nano: line.time_us as u64 * 1_000,
        observed_time_unix_nano: observed_us as u64 * 1_000,
        severity_number,
        severity_text,
        body: Some(line.body),
        attributes: line.attributes,
        flags: u32::from(line.is_traced),
        trace_id,
        span_id,
        event_name: line.event_name.to_owned(),
        ..LogRecord::default()
    }
}
