//! Policies and requests in every database.

use serde_json::{Map, Value, json};

use super::*;
use crate::activity::entry::Actor;
use crate::meta::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
use crate::meta::log_view::Window;
use crate::meta::testing::on_every_backend;
use crate::meta::{Meta, deletion};

const ALL: Window = Window { limit: 100, offset: 0 };

fn ann() -> Actor {
    Actor::user(FIRST_USER, None, None)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn place(meta: &Meta) -> Place {
    let organization = bootstrap(meta, 7).await.unwrap().unwrap().organization_id;
    Place::project(&organization.to_string(), FIRST_PROJECT)
}

fn policy(action_key: &str) -> PolicyContent {
    PolicyContent {
        action_key: action_key.to_owned(),
        conditions: object(json!({ "type": "any_change", "field": "a" })),
        approver_config: object(json!({ "quorum": 2, "users": [1], "x": 5 })),
        allow_self_approve: true,
        bypass_levels: vec![8],
        bypass_roles: vec![],
        expires_after_us: 5,
        enabled: true,
    }
}

#[tokio::test]
async fn policies_are_kept_by_place_and_found_by_the_gate() {
    on_every_backend(|meta| async move {
        let project = place(&meta).await;
        let whole = Place::organization(&project.organization_id);
        let add = async |place: &Place, key: &str, now_us: i64| {
            meta.add_approval_policy(place, &policy(key), &ann(), 3, now_us).await
        };
        let first = add(&project, "a", 10).await.unwrap();
        add(&whole, "a", 11).await.unwrap();
        assert!(matches!(add(&project, "a", 12).await, Err(PolicyError::Taken)));
        assert!(matches!(add(&whole, "a", 12).await, Err(PolicyError::Taken)));
        add(&project, "b", 13).await.unwrap();
        add(&project, "c", 14).await.unwrap();
        assert!(matches!(add(&project, "d", 15).await, Err(PolicyError::TooMany(3))));

        let stored = meta.approval_policy(&project, &first).await.unwrap().unwrap();
        assert_eq!((&stored.content, stored.created_us), (&policy("a"), 10));
        assert_eq!(meta.approval_policy(&whole, &first).await.unwrap(), None);
        let (policies, count) = meta.approval_policies(&project, None, None, ALL).await.unwrap();
        let keys: Vec<&str> = policies.iter().map(|policy| policy.content.action_key.as_str()).collect();
        assert_eq!((keys, count), (vec!["c", "b", "a"], 3));
        let (policies, count) = meta.approval_policies(&project, Some("b"), Some(true), ALL).await.unwrap();
        assert_eq!((policies.len(), count), (1, 1));
        assert_eq!(meta.approval_policies(&project, None, Some(false), ALL).await.unwrap().1, 0);

        let disabled = PolicyContent { enabled: false, ..policy("b") };
        let other = PolicyContent { action_key: "a".into(), ..policy("b") };
        let id = policies[0].id.clone();
        assert!(matches!(
            meta.change_approval_policy(&project, &id, &other, &ann(), 20).await,
            Err(PolicyError::Taken)
        ));
        assert!(meta.change_approval_policy(&project, &id, &disabled, &ann(), 20).await.unwrap());
        assert!(!meta.change_approval_policy(&whole, &id, &disabled, &ann(), 20).await.unwrap());
        let unknown = PolicyContent { bypass_roles: vec!["r".into()], ..policy("b") };
        assert!(matches!(
            meta.change_approval_policy(&project, &id, &unknown, &ann(), 20).await,
            Err(PolicyError::UnknownRole(role)) if role == "r"
        ));

        let mut transaction = meta.begin_write().await.unwrap();
        let found = super::enabled(&mut transaction, &project, &["a", "b", "x"]).await.unwrap();
        let mut places: Vec<bool> = found.iter().map(|policy| policy.place.project.is_some()).collect();
        places.sort_unstable();
        assert_eq!(places, [false, true], "its own and that of the organization, and none that is disabled");
        let found = super::enabled(&mut transaction, &whole, &["a", "c"]).await.unwrap();
        assert_eq!(found.len(), 1, "nothing of a project gates an organization");
        transaction.rollback().await.unwrap();

        assert!(!meta.remove_approval_policy(&whole, &first, &ann(), 30).await.unwrap());
        assert!(meta.remove_approval_policy(&project, &first, &ann(), 30).await.unwrap());
        assert!(!meta.remove_approval_policy(&project, &first, &ann(), 30).await.unwrap());
        let told = meta.waiting_entries(99).await.unwrap();
        let told: Vec<&str> = told.iter().map(|told| told.entry.activity.as_str()).collect();
        assert_eq!(told, ["created", "created", "created", "created", "updated", "deleted"]);
    })
    .await;
}

fn new(place: &Place, resource_id: Option<&str>, natural_key: &str) -> NewChangeRequest {
    NewChangeRequest {
        place: place.clone(),
        action_key: "a",
        action_version: 1,
        resource_type: "thing",
        resource_id: resource_id.map(str::to_owned),
        natural_key: natural_key.to_owned(),
        intent: object(json!({ "current_state": { "a": "ü\u{0}" } })),
        intent_display: object(json!({ "description": "d" })),
        snapshot: PolicySnapshot { quorum: 2, users: vec![1], ..PolicySnapshot::default() },
        created_by: FIRST_USER,
        expires_us: 100,
    }
}

async fn stored(meta: &Meta, new: &NewChangeRequest, now_us: i64) -> String {
    let mut transaction = meta.begin_write().await.unwrap();
    let id = super::insert(&mut transaction, new, now_us).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

#[tokio::test]
async fn requests_are_kept_by_place_and_listed() {
    on_every_backend(|meta| async move {
        let project = place(&meta).await;
        let whole = Place::organization(&project.organization_id);
        let first = stored(&meta, &new(&project, Some("7"), ""), 10).await;
        let second = stored(&meta, &new(&project, None, "x"), 11).await;
        stored(&meta, &new(&whole, Some("7"), ""), 12).await;
        let found = meta.change_request(&project, &first).await.unwrap().unwrap();
        assert_eq!((found.state, &found.intent), (RequestState::Pending, &new(&project, None, "").intent));
        assert_eq!(meta.change_request(&whole, &first).await.unwrap(), None, "of its own place alone");

        let all = RequestFilter::default;
        let states = |states: &[RequestState]| RequestFilter { states: Some(states.to_vec()), ..all() };
        for (filter, expected) in [
            (all(), vec![&second, &first]),
            (RequestFilter { resource_id: Some("7".into()), ..all() }, vec![&first]),
            (RequestFilter { action_key: Some("b".into()), ..all() }, vec![]),
            (RequestFilter { requester: Some(FIRST_USER), ..all() }, vec![&second, &first]),
            (RequestFilter { requester: Some(0), ..all() }, vec![]),
            (states(&[RequestState::Applied, RequestState::Pending]), vec![&second, &first]),
            // Unknown words match nothing.
            (states(&[]), vec![]),
        ] {
            let (requests, count) = meta.change_requests(&project, &filter, ALL).await.unwrap();
            let ids: Vec<&String> = requests.iter().map(|request| &request.id).collect();
            assert_eq!((ids.len() as i64, ids), (count, expected), "{filter:?}");
        }

        let mut transaction = meta.begin_write().await.unwrap();
        let connection = &mut *transaction;
        for (new, expected) in [
            (new(&project, Some("7"), ""), Some(&first)),
            (new(&project, Some("8"), ""), None),
            (new(&project, None, "x"), Some(&second)),
            (new(&project, None, "y"), None),
        ] {
            let open = super::open_duplicate(connection, &new).await.unwrap();
            assert_eq!(open.as_ref().map(|open| &open.id), expected, "{new:?}");
        }
        assert_eq!(super::count_open(connection, &project).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test]
async fn requests_end_and_go_with_their_project() {
    on_every_backend(|meta| async move {
        let project = place(&meta).await;
        let whole = Place::organization(&project.organization_id);
        let id = stored(&meta, &new(&project, Some("7"), ""), 10).await;
        let other = stored(&meta, &new(&whole, Some("7"), ""), 11).await;
        let before = meta.change_request(&project, &id).await.unwrap().unwrap();
        for (after, limit, now_us, expected) in [
            ("", 9, 99, vec![]),
            ("", 9, 100, vec![&id, &other]),
            ("", 1, 100, vec![&id]),
            (&id, 9, 100, vec![&other]),
        ] {
            let overdue = meta.overdue_change_requests(after, limit, now_us).await.unwrap();
            assert_eq!(overdue.iter().collect::<Vec<_>>(), expected);
        }

        let mut transaction = meta.begin_write().await.unwrap();
        let connection = &mut *transaction;
        super::insert_vote(connection, &before, FIRST_USER, (Decision::Approved, "why"), 20).await.unwrap();
        let stale = Validation::Stale("changed".into());
        super::set_validation(connection, &id, &stale, 21).await.unwrap();
        let result = object(json!({ "resource_id": "7" }));
        let outcome = Outcome::Applied { result_data: result.clone() };
        super::set_outcome(connection, &before, &outcome, 22).await.unwrap();
        transaction.commit().await.unwrap();
        let after = meta.change_request(&project, &id).await.unwrap().unwrap();
        let applied = (after.state, after.applied_us, after.applied_by);
        assert_eq!(applied, (RequestState::Applied, Some(22), Some(FIRST_USER)));
        assert_eq!(
            (after.result_data, after.validation, after.validated_us),
            (Some(result), stale, Some(21))
        );
        let votes = meta.change_request_votes(std::slice::from_ref(&before)).await.unwrap();
        assert_eq!((votes[&id][0].reason.as_str(), votes[&id].len()), ("why", 1));

        let mut transaction = meta.begin_write().await.unwrap();
        let organization = &project.organization_id;
        deletion::remove_project(&mut transaction, organization, FIRST_PROJECT, 30).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(meta.change_requests(&project, &RequestFilter::default(), ALL).await.unwrap().1, 0);
        assert_eq!(meta.change_requests(&whole, &RequestFilter::default(), ALL).await.unwrap().1, 1);
    })
    .await;
}

#[tokio::test]
async fn nobody_votes_twice() {
    on_every_backend(|meta| async move {
        let project = place(&meta).await;
        let mut transaction = meta.begin_write().await.unwrap();
        let id = super::insert(&mut transaction, &new(&project, None, ""), 10).await.unwrap();
        let request = super::get(&mut transaction, &id).await.unwrap().unwrap();
        let vote = (Decision::Approved, "");
        super::insert_vote(&mut transaction, &request, 1, vote, 20).await.unwrap();
        super::insert_vote(&mut transaction, &request, 2, vote, 20).await.unwrap();
        assert!(super::insert_vote(&mut transaction, &request, 1, vote, 20).await.is_err());
    })
    .await;
}
