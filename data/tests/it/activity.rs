//! The activity trail tells a consistent story.

use std::collections::{HashMap, HashSet};

use data::{Activity, ActivityEntry, ActivityGenerator, ActivitySpec, ChangeAction, SpecError, encode};
use serde_json::Value;

fn spec() -> ActivitySpec {
    ActivitySpec { entries: 3_000, team_ids: vec![1, 2], ..ActivitySpec::default() }
}

fn entries() -> Vec<ActivityEntry> {
    ActivityGenerator::new(spec()).unwrap().collect()
}

#[test]
fn things_are_created_before_they_change_and_gone_after_they_are_deleted() {
    let mut alive: HashSet<(String, String)> = HashSet::new();
    let mut seen = HashSet::new();
    for entry in entries() {
        seen.insert(entry.activity);
        let item = (entry.scope, entry.item_id);
        match entry.activity {
            Activity::Created => assert!(alive.insert(item)),
            Activity::Updated => assert!(alive.contains(&item)),
            Activity::Deleted => assert!(alive.remove(&item)),
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(alive.len() <= 400);
}

#[test]
fn a_change_starts_from_the_value_that_the_last_one_ended_with() {
    let mut latest: HashMap<(String, String, String), Value> = HashMap::new();
    let mut num_followed = 0;
    for entry in entries() {
        let changes = entry.detail.changes.unwrap();
        assert_eq!(changes.is_empty(), entry.activity != Activity::Updated);
        for change in changes {
            assert_ne!(change.before, change.after);
            assert_eq!(change.action == ChangeAction::Created, change.before.is_null());
            assert_eq!(change.action == ChangeAction::Deleted, change.after.is_null());
            let field = (entry.scope.clone(), entry.item_id.clone(), change.field.unwrap());
            if let Some(before) = latest.insert(field, change.after) {
                assert_eq!(before, change.before);
                num_followed += 1;
            }
        }
    }
    assert!(num_followed > 100);
}

#[test]
fn entries_rise_in_time_and_carry_their_tenant() {
    let entries = entries();
    assert!(entries.is_sorted_by_key(|entry| entry.created_at));
    let ids: HashSet<_> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), entries.len());
    let mut scopes = HashSet::new();
    for entry in &entries {
        assert_eq!(entry.id.get_version_num(), 7);
        assert_eq!(entry.is_system, entry.user.is_none());
        assert_eq!(entry.organization_id, spec().organization_id);
        let is_organization_level =
            ["PersonalAPIKey", "OrganizationMembership"].contains(&entry.scope.as_str());
        assert_eq!(entry.team_id.is_none(), is_organization_level);
        assert!(entry.team_id.is_none_or(|team_id| [1, 2].contains(&team_id)));
        scopes.insert(entry.scope.as_str());
    }
    assert_eq!(scopes.len(), 5);
    assert!(entries.iter().any(|entry| entry.is_system && entry.detail.trigger.is_some()));
}

#[test]
fn the_wire_form_has_every_key_and_reads_back() {
    let mut bytes = Vec::new();
    encode::write_activity(entries(), &mut bytes).unwrap();
    let values: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let keys: HashSet<&str> = values[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "id",
        "user",
        "team_id",
        "organization_id",
        "was_impersonated",
        "is_system",
        "client",
        "ip_address",
        "activity",
        "item_id",
        "scope",
        "detail",
        "created_at",
    ];
    assert_eq!(keys, HashSet::from(expected));
    assert_eq!(values[0]["detail"].as_object().unwrap().len(), 6);
    assert!(values[0]["created_at"].as_str().unwrap().ends_with('Z'));
    let read: Vec<ActivityEntry> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(read, entries());
}

#[test]
fn a_spec_without_projects_is_refused() {
    let error = ActivityGenerator::new(ActivitySpec { team_ids: Vec::new(), ..spec() }).err();
    assert_eq!(error, Some(SpecError::NoProjects));
}
