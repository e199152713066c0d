//! Destinations are made, listed, deleted and told of, on every backend.

use super::*;
use crate::meta::bootstrap::{FIRST_PROJECT, bootstrap};
use crate::meta::testing::on_every_backend;
use crate::secret::Secret;

fn key() -> SecretKey {
    SecretKey::parse(&"a".repeat(64)).unwrap()
}

fn target() -> Target {
    Target::Webhook { url: Secret::new("https://example.org/hush".to_owned()), signing_secret: None }
}

async fn make(meta: &Meta, owner: Owner, target: &Target) -> Vec<Uuid> {
    let name = "Too many errors";
    let new = NewGroup { owner, project_id: FIRST_PROJECT, name, kinds: &EventKind::OF_ALERTS, target };
    let mut transaction = meta.begin_write().await.unwrap();
    let ids = create_group(&mut transaction, &key(), &new, &Actor::system(), 5).await.unwrap();
    transaction.commit().await.unwrap();
    ids
}

async fn remove(meta: &Meta, owner: Owner, project: ProjectId, ids: &[Uuid]) -> Result<(), DestinationError> {
    let mut transaction = meta.begin_write().await.unwrap();
    delete(&mut transaction, owner, project, ids, &Actor::system(), 6).await?;
    transaction.commit().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn a_group_has_one_destination_for_each_kind_and_shows_no_secret() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, 1).await.unwrap();
        let owner = Owner::LogAlert(Uuid::now_v7());
        let ids = make(&meta, owner, &target()).await;
        let stored = meta.destinations(owner).await.unwrap();
        assert_eq!(stored.iter().map(|stored| stored.id).collect::<Vec<_>>(), ids);
        assert_eq!(stored.iter().map(|stored| stored.event).collect::<Vec<_>>(), EventKind::OF_ALERTS);
        for stored in &stored {
            assert_eq!((stored.group_id, stored.kind.as_str()), (stored.group_id, "webhook"));
            assert_eq!(stored.target(&key()).unwrap(), target());
            assert!(!stored.sealed.contains("hush") && !stored.label.contains("hush"), "{stored:?}");
        }
        assert_eq!(stored[2].label, "Logs alert \"Too many errors\" broken: webhook at https://example.org");
        let moved = Destination { id: ids[1], ..stored[0].clone() };
        assert!(moved.target(&key()).is_err(), "a target is bound to its destination");
        let told = meta.waiting_entries(99).await.unwrap();
        let told: Vec<_> = told.iter().filter(|told| told.entry.scope == "HogFunction").collect();
        assert_eq!(told.len(), 4);
        assert!(told.iter().all(|told| told.entry.activity == "created"));
    })
    .await;
}

#[tokio::test]
async fn only_what_is_owned_is_deleted_and_all_of_it_or_nothing() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, 1).await.unwrap();
        let (owner, other) = (Owner::LogAlert(Uuid::now_v7()), Owner::LogAlert(Uuid::now_v7()));
        let ids = make(&meta, owner, &target()).await;
        let foreign = make(&meta, other, &target()).await;
        for (owner, project, ids) in [
            (owner, FIRST_PROJECT, vec![ids[0], foreign[0]]),
            (owner, ProjectId(9), vec![ids[0]]),
            (Owner::ActivitySubscription(owner.id()), FIRST_PROJECT, vec![ids[0]]),
            (owner, FIRST_PROJECT, vec![ids[0], Uuid::now_v7()]),
        ] {
            let refused = remove(&meta, owner, project, &ids).await;
            assert!(matches!(refused, Err(DestinationError::NotOwned(_))), "{refused:?}");
        }
        assert_eq!(meta.destinations(owner).await.unwrap().len(), 4);
        remove(&meta, owner, FIRST_PROJECT, &[ids[0], ids[0], ids[3]]).await.unwrap();
        remove(&meta, owner, FIRST_PROJECT, &[ids[0]]).await.unwrap();
        let left = meta.destinations(owner).await.unwrap();
        assert_eq!(left.iter().map(|left| left.id).collect::<Vec<_>>(), ids[1..3]);
        let told = meta.waiting_entries(99).await.unwrap();
        let deleted = told.iter().filter(|told| told.entry.activity == "updated").count();
        assert_eq!(deleted, 2, "once for each");
        let mut transaction = meta.begin_write().await.unwrap();
        delete_all(&mut transaction, owner, &Actor::system(), 7).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(meta.destinations(owner).await.unwrap(), []);
        assert_eq!(meta.destinations(other).await.unwrap().len(), 4);
    })
    .await;
}

#[tokio::test]
async fn types_are_told_once_and_sorted() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, 1).await.unwrap();
        let owners = [Owner::LogAlert(Uuid::now_v7()), Owner::LogAlert(Uuid::now_v7())];
        let slack = Target::SlackChannel {
            integration_id: 1,
            channel_id: "C1".to_owned(),
            channel_name: String::new(),
        };
        make(&meta, owners[0], &target()).await;
        make(&meta, owners[0], &slack).await;
        make(&meta, owners[0], &target()).await;
        let types = meta.destination_types(&owners).await.unwrap();
        assert_eq!(types.get(&owners[0]).unwrap(), &["slack", "webhook"]);
        assert_eq!(types.get(&owners[1]), None);
        assert!(meta.destination_types(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[test]
fn a_label_has_at_most_400_characters() {
    let (target, name) = (target(), "ü".repeat(500));
    let new = NewGroup {
        owner: Owner::LogAlert(Uuid::nil()),
        project_id: FIRST_PROJECT,
        name: &name,
        kinds: &[],
        target: &target,
    };
    assert_eq!(label(&new, EventKind::AlertFiring).chars().count(), 400);
}

#[test]
fn names_of_events_are_read_as_they_are_written() {
    for event in EventKind::OF_ALERTS.into_iter().chain([EventKind::ActivityEntry]) {
        assert_eq!(EventKind::from_name(event.name()).unwrap(), event);
    }
    assert!(EventKind::from_name("$other").is_err());
}
