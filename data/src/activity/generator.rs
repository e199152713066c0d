//! A small organization whose members keep changing things.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::entry::{Activity, ActivityEntry, Actor, Change, Detail, Trigger};
use super::resources::{Item, Kind};
use crate::random::Random;
use crate::spec::{LogSpec, SpecError, validate_range};
use crate::traffic::Traffic;

/// Things that exist at one time; more are not created, which bounds the memory.
const MAX_ITEMS: usize = 400;
/// Below this many, creating is likelier.
const FEW_ITEMS: usize = 60;

const PEOPLE: [(&str, &str); 12] = [
    ("Ada", "Berg"),
    ("Bruno", "Costa"),
    ("Chidi", "Okafor"),
    ("Dana", "Levi"),
    ("Emil", "Novak"),
    ("Fatima", "Haddad"),
    ("Grace", "Lindqvist"),
    ("Hiro", "Tanaka"),
    ("Ines", "Moreau"),
    ("Jonas", "Weber"),
    ("Kavya", "Rao"),
    ("Liam", "Byrne"),
];
const CLIENTS: [&str; 3] = ["terraform-provider/1.4.0", "timberline-cli/0.1.0", "mcp"];

/// What an [`ActivityGenerator`] makes. Times are microseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivitySpec {
    /// The same seed gives the same entries.
    pub seed: u64,
    /// Number of entries in all.
    pub entries: u64,
    /// Start of the time range, inclusive.
    pub start_us: i64,
    /// End of the time range, exclusive.
    pub end_us: i64,
    /// The organization of all entries.
    pub organization_id: Uuid,
    /// The projects that project-level entries belong to; at least one.
    pub team_ids: Vec<i64>,
}

impl Default for ActivitySpec {
    /// 1,000 entries over the week of [`LogSpec::default`] in project 1.
    fn default() -> Self {
        let logs = LogSpec::default();
        Self {
            seed: logs.seed,
            entries: 1_000,
            start_us: logs.start_us,
            end_us: logs.end_us,
            organization_id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            team_ids: vec![1],
        }
    }
}

/// Makes activity entries in rising time; a thing is created before it is updated or deleted, and the
/// value a change starts from is the one that the change before it ended with.
#[derive(Clone, Debug)]
pub struct ActivityGenerator {
    spec: ActivitySpec,
    random: Random,
    traffic: Traffic,
    people: Vec<Actor>,
    items: Vec<Item>,
    next_entry: u64,
}

impl ActivityGenerator {
    /// Prepares the generation.
    ///
    /// # Errors
    /// A field of the spec that is out of its bounds.
    pub fn new(spec: ActivitySpec) -> Result<Self, SpecError> {
        validate_range(spec.start_us, spec.end_us)?;
        if spec.team_ids.is_empty() {
            return Err(SpecError::NoProjects);
        }
        let mut random = Random::new(spec.seed, 2);
        let people =
            PEOPLE.iter().map(|(first, last)| person(first, last, spec.start_us, &mut random)).collect();
        let traffic = Traffic::new(spec.start_us, spec.end_us, spec.entries);
        Ok(Self { spec, random, traffic, people, items: Vec::new(), next_entry: 0 })
    }

    fn next_entry(&mut self) -> ActivityEntry {
        let jitter = self.random.word() as u32;
        let time_us = self.traffic.time_us(self.next_entry, jitter);
        self.next_entry += 1;
        let activity = self.choose_activity();
        let (item, changes) = match activity {
            Activity::Created => self.create(time_us),
            Activity::Updated => self.update(),
            Activity::Deleted => self.delete(),
        };
        self.entry(time_us, activity, &item, changes)
    }

    fn choose_activity(&mut self) -> Activity {
        let created_per_mille = if self.items.len() < FEW_ITEMS { 600 } else { 150 };
        match self.random.below(1_000) {
            _ if self.items.is_empty() => Activity::Created,
            at if at < created_per_mille && self.items.len() < MAX_ITEMS => Activity::Created,
            900.. => Activity::Deleted,
            _ => Activity::Updated,
        }
    }

    fn create(&mut self, time_us: i64) -> (Item, Vec<Change>) {
        let kind = Kind::random(&mut self.random);
        let id = match kind {
            Kind::FeatureFlag | Kind::Dashboard => (1_000 + self.next_entry).to_string(),
            _ => uuid_v7(time_us, &mut self.random).to_string(),
        };
        let team_ids = &self.spec.team_ids;
        let team_id = (!kind.is_organization_level()).then(|| team_ids[self.random.index(team_ids.len())]);
        let item = Item::new(kind, id, team_id, &mut self.random);
        self.items.push(item.clone());
        (item, Vec::new())
    }

    fn update(&mut self) -> (Item, Vec<Change>) {
        let index = self.random.index(self.items.len());
        loop {
            let item = &mut self.items[index];
            let scope = item.kind.scope();
            let before = item.alter(&mut self.random);
            let changes = before
                .into_iter()
                .filter_map(|(field, before)| Change::between(scope, field, before, item.value(field)));
            let changes: Vec<Change> = changes.collect();
            // A save that changes nothing leaves no entry, so another save follows.
            if !changes.is_empty() {
                return (item.clone(), changes);
            }
        }
    }

    fn delete(&mut self) -> (Item, Vec<Change>) {
        let index = self.random.index(self.items.len());
        (self.items.swap_remove(index), Vec::new())
    }

    fn entry(
        &mut self,
        time_us: i64,
        activity: Activity,
        item: &Item,
        changes: Vec<Change>,
    ) -> ActivityEntry {
        // Only schedules change alerts without a person.
        let is_system = item.kind == Kind::LogsAlertConfiguration && self.random.chance(200);
        let user = (!is_system).then(|| self.people[self.random.skewed_index(self.people.len())].clone());
        let trigger = is_system.then(|| self.trigger());
        let context = (item.kind == Kind::OrganizationMembership).then(|| self.membership(item));
        let has_client = !is_system && self.random.chance(300);
        let client = has_client.then(|| self.random.pick(&CLIENTS).to_owned());
        let ip_address = (!is_system).then(|| format!("203.0.113.{}", self.random.between(1, 254)));
        let was_impersonated = !is_system && self.random.chance(10);
        ActivityEntry {
            id: uuid_v7(time_us, &mut self.random),
            user,
            team_id: item.team_id,
            organization_id: self.spec.organization_id,
            was_impersonated,
            is_system,
            client,
            ip_address,
            activity,
            item_id: item.id.clone(),
            scope: item.kind.scope().to_owned(),
            detail: Detail {
                name: item.name(),
                short_id: item.short_id.clone(),
                subtype: None,
                changes: Some(changes),
                trigger,
                context,
            },
            created_at: DateTime::from_timestamp_micros(time_us)
                .expect("BUG: a validated range lies within the years of chrono"),
        }
    }

    fn trigger(&mut self) -> Trigger {
        let job_id = format!("{:016x}", self.random.word());
        let payload = BTreeMap::from([("attempt".to_owned(), json!(self.random.between(1, 3)))]);
        Trigger { job_type: "alert_sync".to_owned(), job_id, payload }
    }

    fn membership(&mut self, item: &Item) -> BTreeMap<String, Value> {
        let person = self.random.pick(&self.people.iter().collect::<Vec<_>>());
        let user_name = format!("{} {}", person.first_name, person.last_name);
        BTreeMap::from([
            ("level".to_owned(), item.value("level")),
            ("organization_id".to_owned(), json!(self.spec.organization_id)),
            ("organization_name".to_owned(), json!("Example Shop")),
            ("user_email".to_owned(), json!(person.email)),
            ("user_id".to_owned(), json!(person.uuid)),
            ("user_name".to_owned(), json!(user_name)),
        ])
    }
}

impl Iterator for ActivityGenerator {
    type Item = ActivityEntry;

    fn next(&mut self) -> Option<ActivityEntry> {
        (self.next_entry < self.spec.entries).then(|| self.next_entry())
    }
}

fn person(first_name: &str, last_name: &str, joined_us: i64, random: &mut Random) -> Actor {
    Actor {
        uuid: uuid_v7(joined_us, random),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        email: format!("{}@shop.example", first_name.to_lowercase()),
    }
}

fn uuid_v7(time_us: i64, random: &mut Random) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(time_us as u64 / 1_000, &random.id::<10>()).into_uuid()
}
