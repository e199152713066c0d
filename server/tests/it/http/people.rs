//! Users of each level with a key of their own.

use server::accounts::users::{self, NewMember};
use server::activity::entry::Actor;
use server::meta::Level;
use server::meta::personal_api_key::KeyAttributes;

use super::harness::{NOW_US, TestServer};

/// A user and a key that may do everything the user may.
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) uuid: String,
    pub(super) key: String,
}

/// Adds a user to the first organization.
pub(super) async fn person(server: &TestServer, name: &str, level: Level) -> Person {
    let organization_id = server.credentials.organization_id.to_string();
    person_in(server, &organization_id, name, level).await
}

/// Adds a user to an organization.
pub(super) async fn person_in(
    server: &TestServer,
    organization_id: &str,
    name: &str,
    level: Level,
) -> Person {
    let email = format!("{name}@example.org");
    let new = NewMember {
        organization_id,
        email: &email,
        first_name: name,
        last_name: "",
        level,
        password_hash: None,
    };
    let meta = server.state.meta();
    let user = users::create(meta, &Actor::system(), &new, NOW_US).await.unwrap();
    let attributes =
        KeyAttributes { label: "test".to_owned(), scopes: vec!["*".to_owned()], ..KeyAttributes::default() };
    let key = meta.create_personal_api_key(user.id, &attributes, NOW_US).await.unwrap();
    Person { id: user.id, uuid: user.uuid, key: key.reveal().to_owned() }
}
