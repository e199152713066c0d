//! The things that people change: what fields they have and how a field's value moves on.

use serde_json::{Value, json};

use crate::random::Random;

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    FeatureFlag,
    Dashboard,
    LogsAlertConfiguration,
    PersonalApiKey,
    OrganizationMembership,
}

/// How often each kind is touched, of 100.
const KINDS: [(Kind, u32); 5] = [
    (Kind::FeatureFlag, 40),
    (Kind::Dashboard, 25),
    (Kind::LogsAlertConfiguration, 15),
    (Kind::PersonalApiKey, 12),
    (Kind::OrganizationMembership, 8),
];

impl Kind {
    pub(super) fn random(random: &mut Random) -> Self {
        let mut at = random.below(100);
        for (kind, share) in KINDS {
            if at < share {
                return kind;
            }
            at -= share;
        }
        unreachable!("BUG: the shares of all kinds sum to 100")
    }

    pub(super) fn scope(self) -> &'static str {
        match self {
            Self::FeatureFlag => "FeatureFlag",
            Self::Dashboard => "Dashboard",
            Self::LogsAlertConfiguration => "LogsAlertConfiguration",
            Self::PersonalApiKey => "PersonalAPIKey",
            Self::OrganizationMembership => "OrganizationMembership",
        }
    }

    /// Whether its entries belong to the organization and to no project.
    pub(super) fn is_organization_level(self) -> bool {
        matches!(self, Self::PersonalApiKey | Self::OrganizationMembership)
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::FeatureFlag => &["active", "rollout_percentage", "name", "filters", "tags"],
            Self::Dashboard => &["name", "description", "pinned", "tags"],
            Self::LogsAlertConfiguration => &["enabled", "threshold_count", "window_minutes", "name"],
            Self::PersonalApiKey => &["label", "scopes"],
            Self::OrganizationMembership => &["level"],
        }
    }
}

/// One thing, with its fields in a fixed order.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) team_id: Option<i64>,
    pub(super) short_id: Option<String>,
    pub(super) fields: Vec<(&'static str, Value)>,
}

const SUBJECTS: [&str; 10] = [
    "checkout",
    "search",
    "signup",
    "pricing",
    "onboarding",
    "latency",
    "payments",
    "mobile",
    "invoices",
    "errors",
];
const TAGS: [&str; 6] = ["growth", "platform", "oncall", "q1", "experiment", "deprecated"];
const SCOPES: [&str; 5] =
    ["logs:read", "activity_log:read", "logs:write", "alert:write", "organization:read"];

impl Item {
    pub(super) fn new(kind: Kind, id: String, team_id: Option<i64>, random: &mut Random) -> Self {
        let short_id = (kind == Kind::Dashboard).then(|| random.suffix(8));
        let fields = kind.fields().iter().map(|field| (*field, value(field, random))).collect();
        Self { kind, id, team_id, short_id, fields }
    }

    /// The display name: the first field that is one.
    pub(super) fn name(&self) -> Option<String> {
        let is_name = |field: &str| matches!(field, "name" | "label");
        let named = self.fields.iter().find(|(field, _)| is_name(field));
        named.and_then(|(_, value)| value.as_str()).map(str::to_owned)
    }

    /// Gives one or two fields their next value and returns the fields with the values they had before.
    pub(super) fn alter(&mut self, random: &mut Random) -> Vec<(&'static str, Value)> {
        let first = random.index(self.fields.len());
        let mut altered = vec![first];
        if random.chance(250) && self.fields.len() > 1 {
            altered.push((first + 1) % self.fields.len());
        }
        altered.into_iter().map(|index| self.alter_field(index, random)).collect()
    }

    fn alter_field(&mut self, index: usize, random: &mut Random) -> (&'static str, Value) {
        let (field, current) = &mut self.fields[index];
        let next = match current {
            Value::Bool(is_on) => Value::Bool(!*is_on),
            _ => value(field, random),
        };
        (field, std::mem::replace(current, next))
    }

    pub(super) fn value(&self, field: &str) -> Value {
        let found = self.fields.iter().find(|(name, _)| *name == field);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

fn value(field: &str, random: &mut Random) -> Value {
    match field {
        "active" | "enabled" => json!(random.chance(700)),
        "pinned" => json!(random.chance(200)),
        "rollout_percentage" => json!(random.pick(&[&1, &5, &10, &25, &50, &75, &100])),
        "threshold_count" => json!(random.between(1, 40) * 25),
        "window_minutes" => json!(random.pick(&[&5, &10, &15, &30, &60])),
        "level" => json!(random.pick(&["member", "administrator", "owner"])),
        "description" if random.chance(300) => json!(""),
        "description" => json!(format!("What {} looks like, week by week", random.pick(&SUBJECTS))),
        "tags" => json!(distinct(&TAGS, random)),
        "scopes" => json!(distinct(&SCOPES, random)),
        "filters" => {
            // One key per object: the order of several would depend on how serde_json was built.
            let rollout = random.below(101);
            json!({"groups": [{"rollout_percentage": rollout}]})
        }
        _ => json!(format!("{}-{}", random.pick(&SUBJECTS), random.suffix(4))),
    }
}

/// Some of the words, sorted, possibly none.
fn distinct(words: &[&'static str], random: &mut Random) -> Vec<&'static str> {
    let mut chosen: Vec<&str> = words.iter().copied().filter(|_| random.chance(350)).collect();
    chosen.sort_unstable();
    chosen
}
