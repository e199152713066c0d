//! The long tail of attribute keys: what 500 or 5,000 distinct keys consist of.
//!
//! Every service owns a share of the keys in proportion to its traffic and walks through it, so all keys
//! appear soon; on top, some records repeat a popular one.

use crate::line::Line;
use crate::scenarios::SERVICES;
use crate::spec::AttributeKeys;

const DOMAINS: [&str; 20] = [
    "cart",
    "checkout",
    "search",
    "shipping",
    "pricing",
    "promo",
    "ranking",
    "fraud",
    "ledger",
    "profile",
    "session",
    "media",
    "export",
    "import",
    "quota",
    "tenant",
    "webhook",
    "scheduler",
    "experiment",
    "support",
];
const NOUNS: [&str; 25] = [
    "item", "bucket", "shard", "batch", "rule", "window", "model", "variant", "region", "provider",
    "channel", "coupon", "address", "carrier", "parcel", "refund", "invoice", "template", "segment", "token",
    "policy", "worker", "cursor", "snapshot", "plan",
];
const PROPERTIES: [&str; 10] =
    ["count", "ratio", "enabled", "name", "id", "size", "version", "score", "reason", "labels"];
const REASONS: [&str; 6] = ["default", "override", "expired", "not_found", "manual", "limit_reached"];
/// A prime above every share, so a walk visits every key, in an order unlike that of the names.
const STRIDE: usize = 7_919;
const REPEAT_PER_MILLE: u32 = 300;

/// The extra keys of one data set.
#[derive(Clone, Debug)]
pub(crate) struct TailKeys {
    keys: Vec<(String, &'static str)>,
    shares: Vec<Share>,
}

/// One service's part of the keys.
#[derive(Clone, Copy, Debug)]
struct Share {
    first: usize,
    len: usize,
    num_walked: usize,
}

impl TailKeys {
    pub(crate) fn new(num_attribute_keys: AttributeKeys) -> Self {
        let num_keys = num_attribute_keys.num_keys() - AttributeKeys::K20.num_keys();
        let total_weight: u32 = SERVICES.iter().map(|service| service.weight).sum();
        let mut weight_before = 0;
        let bound = |weight: u32| num_keys * weight as usize / total_weight as usize;
        let shares = SERVICES.iter().map(|service| {
            let first = bound(weight_before);
            weight_before += service.weight;
            Share { first, len: bound(weight_before) - first, num_walked: 0 }
        });
        Self { shares: shares.collect(), keys: (0..num_keys).map(key).collect() }
    }

    /// Adds the extra attributes of one record of a service.
    pub(crate) fn add(&mut self, service: usize, line: &mut Line<'_>) {
        let share = &mut self.shares[service];
        if share.len == 0 {
            return;
        }
        let walked = share.first + share.num_walked * STRIDE % share.len;
        share.num_walked += 1;
        let share = *share;
        self.write(walked, line);
        if line.random.chance(REPEAT_PER_MILLE) {
            let popular = share.first + line.random.skewed_index(share.len);
            if popular != walked {
                self.write(popular, line);
            }
        }
    }

    fn write(&self, index: usize, line: &mut Line<'_>) {
        let (key, property) = &self.keys[index];
        match *property {
            "count" | "size" => {
                let value = line.random.skewed_index(5_000) as i64;
                line.int(key, value);
            }
            "ratio" | "score" => {
                let value = f64::from(line.random.below(1_000)) / 1_000.0;
                line.double(key, value);
            }
            "enabled" => {
                let value = line.random.chance(500);
                line.flag(key, value);
            }
            "labels" => {
                let values = [line.random.pick(&NOUNS), line.random.pick(&NOUNS)];
                line.list(key, &values);
            }
            "version" => {
                let value = format!("1.{}.{}", line.random.below(12), line.random.below(30));
                line.text(key, value);
            }
            "id" => {
                let value = format!("{:08x}", line.random.word() as u32);
                line.text(key, value);
            }
            _ => {
                let value = line.random.pick(&REASONS);
                line.text(key, value);
            }
        }
    }
}

/// The name and the property of the key with this number; every number below 5,000 has its own.
fn key(number: usize) -> (String, &'static str) {
    let domain = number % DOMAINS.len();
    let noun = number / DOMAINS.len() % NOUNS.len();
    let round = number / (DOMAINS.len() * NOUNS.len());
    // Shifted by domain and noun so that few keys already have all properties.
    let property = PROPERTIES[(round + domain + noun) % PROPERTIES.len()];
    (format!("{}.{}.{property}", DOMAINS[domain], NOUNS[noun]), property)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_keys_differ_and_belong_to_exactly_one_service() {
        for (keys, expected) in
            [(AttributeKeys::K20, 0), (AttributeKeys::K500, 480), (AttributeKeys::K5000, 4_980)]
        {
            let tail = TailKeys::new(keys);
            let distinct: HashSet<&str> = tail.keys.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(distinct.len(), expected);
            let mut end = 0;
            for share in &tail.shares {
                assert_eq!(share.first, end);
                end += share.len;
            }
            assert_eq!(end, expected);
        }
    }

    #[test]
    fn a_walk_visits_every_key_of_a_share() {
        for share in TailKeys::new(AttributeKeys::K5000).shares {
            let visited: HashSet<usize> = (0..share.len).map(|step| step * STRIDE % share.len).collect();
            assert_eq!(visited.len(), share.len);
        }
    }
}
