//! The running instances of every service, and the OTLP resource that each one sends.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::incident::{Incident, IncidentKind};
use crate::line::key_value;
use crate::random::Random;
use crate::scenarios::{Platform, SERVICES, Service};

const NUM_NODES: u32 = 12;

/// One pod or host that runs a service.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) host: String,
    /// Index of its resource in [`Fleet::resources`].
    resource: usize,
    /// When a deploy replaces it, and by which resource.
    replaced: Option<(i64, usize)>,
}

impl Instance {
    /// The index of the resource that the instance reports at a time.
    pub(crate) fn resource_at(&self, time_us: i64) -> usize {
        match self.replaced {
            Some((from_us, resource)) if time_us >= from_us => resource,
            _ => self.resource,
        }
    }
}

/// All instances and resources, made once: a record only refers to them.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    /// Instances by service, in the order of [`SERVICES`].
    pub(crate) instances: Vec<Vec<Instance>>,
    pub(crate) resources: Vec<Resource>,
    /// The index in [`SERVICES`] of each resource.
    pub(crate) services: Vec<usize>,
}

impl Fleet {
    pub(crate) fn new(random: &mut Random, incidents: &[Incident]) -> Self {
        let mut fleet = Self { instances: Vec::new(), resources: Vec::new(), services: Vec::new() };
        for (index, service) in SERVICES.iter().enumerate() {
            let deploy = incidents.iter().find(|incident| {
                incident.kind == IncidentKind::Deploy && incident.services.contains(&service.name)
            });
            let instances = fleet.start(random, index, service, deploy);
            fleet.instances.push(instances);
        }
        fleet
    }

    fn start(
        &mut self,
        random: &mut Random,
        index: usize,
        service: &Service,
        deploy: Option<&Incident>,
    ) -> Vec<Instance> {
        let replica_set = random.suffix(9);
        let next_replica_set = random.suffix(9);
        let first_node = random.below(NUM_NODES);
        let mut instances = Vec::new();
        for number in 0..service.num_instances {
            let host = format!("node-{:02}", (first_node + number) % NUM_NODES);
            let resource = resource(random, service, service.version, &host, &replica_set, number);
            let resource = self.add(index, resource);
            let replaced = deploy.map(|deploy| {
                let version = next_minor(service.version);
                let next = self::resource(random, service, &version, &host, &next_replica_set, number);
                // Rolling: one instance after the other over the first half of the window.
                let step_us = (deploy.end_us - deploy.start_us) / 2 / i64::from(service.num_instances);
                (deploy.start_us + step_us * i64::from(number), self.add(index, next))
            });
            instances.push(Instance { host, resource, replaced });
        }
        instances
    }

    fn add(&mut self, service: usize, resource: Resource) -> usize {
        self.resources.push(resource);
        self.services.push(service);
        self.resources.len() - 1
    }
}

/// The version after a deploy: `2.3.0` becomes `2.4.0`.
fn next_minor(version: &str) -> String {
    let mut parts = version.splitn(3, '.');
    let major = parts.next().unwrap_or_default();
    let minor: u32 = parts.next().and_then(|minor| minor.parse().ok()).unwrap_or_default();
    format!("{major}.{}.0", minor + 1)
}

fn resource(
    random: &mut Random,
    service: &Service,
    version: &str,
    host: &str,
    replica_set: &str,
    number: u32,
) -> Resource {
    // The last instance of a large service is its staging twin.
    let is_staging = service.num_instances >= 5 && number + 1 == service.num_instances;
    let environment = if is_staging { "staging" } else { "production" };
    let mut pairs = vec![
        ("service.name", service.name.to_owned()),
        ("service.version", version.to_owned()),
        ("deployment.environment", environment.to_owned()),
        ("host.name", host.to_owned()),
    ];
    match service.platform {
        Platform::Kubernetes { namespace } => {
            let pod = format!("{}-{replica_set}-{}", service.name, random.suffix(5));
            pairs.push(("k8s.namespace.name", namespace.to_owned()));
            pairs.push(("k8s.pod.name", pod));
        }
        Platform::Host => pairs.push(("os.type", "linux".to_owned())),
    }
    let attributes = pairs.into_iter().map(|(key, text)| key_value(key, Value::StringValue(text))).collect();
    Resource { attributes, ..Resource::default() }
}
