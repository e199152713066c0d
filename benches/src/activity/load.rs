//! Generated entries in an engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use data::{ActivityGenerator, ActivitySpec};
use engine::Engine;
use engine::activity::{ActivityEntry, ChainHead, Delivery, spaced_json};
use engine::schema::{OrganizationId, ProjectId};

/// Entries that are added by one call.
const BATCH_ENTRIES: usize = 10_000;

/// What was loaded, and what is known of it without asking.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) organization: OrganizationId,
    pub(super) num_entries: u64,
    /// Until all of them were durable, without making them.
    pub(super) append: Duration,
    /// From there until their files were merged.
    pub(super) merge: Duration,
    /// How many there are of each scope.
    pub(super) scopes: HashMap<String, u64>,
    /// How many users did by number.
    pub(super) users: HashMap<i64, u64>,
    /// The item of the entry in the middle, and how many entries it has.
    pub(super) item: (String, u64),
    /// When the entry in the middle was made, microseconds.
    pub(super) middle_us: i64,
}

/// Adds the entries of a spec and merges their files.
pub(super) async fn load(engine: &Arc<Engine>, spec: ActivitySpec) -> Result<Loaded> {
    let organization = OrganizationId(spec.organization_id);
    let middle = spec.entries / 2;
    let mut loaded = Loaded {
        organization,
        num_entries: 0,
        append: Duration::ZERO,
        merge: Duration::ZERO,
        scopes: HashMap::new(),
        users: HashMap::new(),
        item: (String::new(), 0),
        middle_us: 0,
    };
    let mut items: HashMap<String, u64> = HashMap::new();
    let mut users = UserNumbers::default();
    let mut head = ChainHead::default();
    let mut entries = ActivityGenerator::new(spec)?;
    loop {
        let mut batch = Vec::with_capacity(BATCH_ENTRIES);
        for entry in entries.by_ref().take(BATCH_ENTRIES) {
            let user_id = users.of(&entry);
            *loaded.scopes.entry(entry.scope.clone()).or_default() += 1;
            user_id.into_iter().for_each(|user| *loaded.users.entry(user).or_default() += 1);
            *items.entry(entry.item_id.clone()).or_default() += 1;
            let entry = stored(entry, user_id)?;
            if loaded.num_entries == middle {
                loaded.middle_us = entry.timestamp_us;
                loaded.item.0 = entry.item_id.clone().unwrap_or_default();
            }
            loaded.num_entries += 1;
            batch.push(entry);
        }
        if batch.is_empty() {
            break;
        }
        let begun = Instant::now();
        head = engine.append_activity(organization, batch, Delivery::First, head).await?.head;
        loaded.append += begun.elapsed();
    }
    let begun = Instant::now();
    engine.flush().await?;
    engine.compact(true).await?;
    loaded.merge = begun.elapsed();
    loaded.item.1 = items.get(&loaded.item.0).copied().context("there are no entries")?;
    Ok(loaded)
}

/// The numbers of users, in the order of their first entries.
#[derive(Debug, Default)]
struct UserNumbers(HashMap<u128, i64>);

impl UserNumbers {
    fn of(&mut self, entry: &data::ActivityEntry) -> Option<i64> {
        let next = self.0.len() as i64 + 1;
        entry.user.as_ref().map(|user| *self.0.entry(user.uuid.as_u128()).or_insert(next))
    }
}

/// The organization of generated entries.
pub fn organization() -> OrganizationId {
    OrganizationId(ActivitySpec::default().organization_id)
}

/// Adds few entries of [`organization`] to its trail, which is empty.
///
/// # Errors
/// What the engine answers.
pub async fn append_few(
    engine: &Arc<Engine>,
    entries: impl IntoIterator<Item = data::ActivityEntry>,
) -> Result<()> {
    let mut users = UserNumbers::default();
    let entries = entries.into_iter().map(|entry| {
        let user_id = users.of(&entry);
        stored(entry, user_id)
    });
    let entries = entries.collect::<Result<Vec<_>>>()?;
    engine.append_activity(organization(), entries, Delivery::First, ChainHead::default()).await?;
    Ok(())
}

fn stored(entry: data::ActivityEntry, user_id: Option<i64>) -> Result<ActivityEntry> {
    let activity = serde_json::to_value(entry.activity)?;
    let detail = spaced_json(&entry.detail)?;
    Ok(ActivityEntry {
        id: entry.id,
        timestamp_us: entry.created_at.timestamp_micros(),
        project: entry.team_id.map(ProjectId),
        user_id,
        was_impersonated: Some(entry.was_impersonated),
        is_system: Some(entry.is_system),
        client: entry.client,
        ip_address: entry.ip_address,
        scope: entry.scope,
        activity: activity.as_str().unwrap_or_default().to_owned(),
        item_id: Some(entry.item_id),
        detail: Some(detail),
    })
}
