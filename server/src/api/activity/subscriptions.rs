//! `activity_log/subscriptions/`: who is told of new entries of a project's trail.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::schema::ProjectId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{
    boolean, integer, list, members, moment, nullable, object, one_of, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Routes, get, op};
use crate::api::{basic_user, destinations, iso_time, page};
use crate::auth::Scope;
use crate::delivery::Target;
use crate::error::ApiError;
use crate::meta::activity_subscription::{ActivitySubscription, SubscriptionContent};
use crate::meta::destination::{Destination, Owner};
use crate::state::AppState;

/// Most subscriptions of a project.
const MAX_SUBSCRIPTIONS: i64 = 100;
const MAX_NAME_CHARS: usize = 255;
/// Most scopes and activities of one subscription.
const MAX_WORDS: usize = 100;
/// Longest scope and activity, characters, as entries have them.
const MAX_WORD_CHARS: usize = 79;
/// Most items of one subscription.
const MAX_ITEM_IDS: usize = 1_000;
/// Longest id of an item, characters, as entries have them.
const MAX_ITEM_ID_CHARS: usize = 72;

/// The endpoints below a project.
pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::ACTIVITY_READ]);
    let write = |summary| op(summary, &[Scope::ACTIVITY_WRITE]);
    let content = || {
        vec![
            ("name", text_up_to(MAX_NAME_CHARS)),
            ("enabled", boolean()),
            ("scopes", list(text_up_to(MAX_WORD_CHARS))),
            ("activities", list(text_up_to(MAX_WORD_CHARS))),
            ("item_ids", list(text_up_to(MAX_ITEM_ID_CHARS))),
            ("destination", destinations::described()),
        ]
    };
    let all = get(list_all, read("Who is told of new entries of the trail").lists(described())).post(
        create,
        write("Have somebody told of new entries")
            .body(with_required(&content(), &["name", "destination"]))
            .creates(described()),
    );
    let one = get(retrieve, read("A subscription to the trail").answers(200, described()))
        .put(
            replace,
            write("Replace a subscription")
                .body(with_required(&content(), &["name"]))
                .answers(200, described()),
        )
        .patch(change, write("Change a subscription").body(members(&content())).answers(200, described()))
        .delete(delete, write("Delete a subscription").answers_nothing(204, "gone"));
    Routes::new()
        .at("/activity_log/subscriptions", all)
        .at("/activity_log/subscriptions/{subscription_id}", one)
}

fn described() -> Value {
    let destination = object(&[
        ("id", uuid()),
        ("type", one_of(&Target::KINDS)),
        ("label", text()),
        ("last_success_at", nullable(moment())),
        ("last_failure_at", nullable(moment())),
        ("last_failure", nullable(text())),
        ("consecutive_failures", integer()),
    ]);
    object(&[
        ("id", uuid()),
        ("name", text()),
        ("enabled", boolean()),
        ("scopes", list(text())),
        ("activities", list(text())),
        ("item_ids", list(text())),
        ("destination", nullable(destination)),
        ("created_by", user_or_null()),
        ("created_at", moment()),
        ("updated_at", moment()),
    ])
}

async fn list_all(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::ACTIVITY_READ).await?;
    let window = page::window(&call);
    let (subscriptions, count) = state.meta().activity_subscriptions(project, window).await?;
    let mut results = Vec::with_capacity(subscriptions.len());
    for subscription in &subscriptions {
        results.push(written(&state, subscription).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::ACTIVITY_READ).await?;
    let found = find(&state, project, target_id(&call)?).await?;
    Ok(Json(written(&state, &found).await?))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, caller) = call.authorize_caller(&state, &[Scope::ACTIVITY_WRITE]).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let given = Given::parse(&input)?;
    input.required("name", given.name.as_ref())?;
    let destination = destination(&state, project, &input).await?;
    let destination = input.required("destination", destination)?;
    let (content, by) = (given.over(default_content()), (state.secret_key(), &actor));
    let made = state.meta().create_activity_subscription(
        by,
        project,
        (&content, &destination),
        MAX_SUBSCRIPTIONS,
        now_us,
    );
    let Some(id) = made.await? else {
        let detail = format!("a project has at most {MAX_SUBSCRIPTIONS} subscriptions");
        return Err(ApiError::validation("max_length", None, detail));
    };
    let made = find(&state, project, id).await?;
    Ok((StatusCode::CREATED, Json(written(&state, &made).await?)))
}

/// What is absent stays as it is.
async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, What::Given).await
}

/// What is absent is as in a new subscription, but the destination stays: nobody can read it to send it again.
async fn replace(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, What::Everything).await
}

/// What of a subscription a body stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Given,
    Everything,
}

async fn update(state: &AppState, call: ApiCall, what: What) -> Result<Json<Value>, ApiError> {
    let (project, caller) = call.authorize_caller(state, &[Scope::ACTIVITY_WRITE]).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let id = target_id(&call)?;
    let before = find(state, project, id).await?;
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let given = Given::parse(&input)?;
    let content = match what {
        What::Given => given.over(before.content),
        What::Everything => {
            input.required("name", given.name.as_ref())?;
            given.over(default_content())
        }
    };
    let destination = destination(state, project, &input).await?;
    let (by, to) = ((state.secret_key(), &actor), (&content, destination.as_ref()));
    if !state.meta().update_activity_subscription(by, (project, id), to, now_us).await? {
        return Err(not_found());
    }
    Ok(Json(written(state, &find(state, project, id).await?).await?))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (project, caller) = call.authorize_caller(&state, &[Scope::ACTIVITY_WRITE]).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let id = target_id(&call)?;
    match state.meta().delete_activity_subscription(project, id, &actor, now_us).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found()),
    }
}

fn target_id(call: &ApiCall) -> Result<Uuid, ApiError> {
    Uuid::parse_str(call.path_parameter("subscription_id")).map_err(|_| not_found())
}

fn not_found() -> ApiError {
    ApiError::not_found("subscription not found")
}

async fn find(state: &AppState, project: ProjectId, id: Uuid) -> Result<ActivitySubscription, ApiError> {
    state.meta().activity_subscription(project, id).await?.ok_or_else(not_found)
}

/// The members that a body has.
#[derive(Debug)]
struct Given {
    name: Option<String>,
    enabled: Option<bool>,
    scopes: Option<Vec<String>>,
    activities: Option<Vec<String>>,
    item_ids: Option<Vec<String>>,
}

impl Given {
    fn parse(input: &Input<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            name: input.text("name", MAX_NAME_CHARS)?,
            enabled: input.boolean("enabled")?,
            scopes: input.texts("scopes", MAX_WORDS, MAX_WORD_CHARS)?,
            activities: input.texts("activities", MAX_WORDS, MAX_WORD_CHARS)?,
            item_ids: input.texts("item_ids", MAX_ITEM_IDS, MAX_ITEM_ID_CHARS)?,
        })
    }

    fn over(self, content: SubscriptionContent) -> SubscriptionContent {
        SubscriptionContent {
            name: self.name.unwrap_or(content.name),
            enabled: self.enabled.unwrap_or(content.enabled),
            scopes: self.scopes.unwrap_or(content.scopes),
            activities: self.activities.unwrap_or(content.activities),
            item_ids: self.item_ids.unwrap_or(content.item_ids),
        }
    }
}

fn default_content() -> SubscriptionContent {
    SubscriptionContent { enabled: true, ..SubscriptionContent::default() }
}

async fn destination(
    state: &AppState,
    project: ProjectId,
    input: &Input<'_>,
) -> Result<Option<Target>, ApiError> {
    let Some(value) = input.value("destination") else { return Ok(None) };
    let destination = Input::nested(value, input.path_of("destination"))?;
    destinations::parse(state, project, &destination).await.map(Some)
}

async fn written(state: &AppState, subscription: &ActivitySubscription) -> Result<Value, ApiError> {
    let content = &subscription.content;
    let destinations = state.meta().destinations(Owner::ActivitySubscription(subscription.id)).await?;
    Ok(json!({
        "id": subscription.id,
        "name": content.name,
        "enabled": content.enabled,
        "scopes": content.scopes,
        "activities": content.activities,
        "item_ids": content.item_ids,
        "destination": destinations.first().map(written_destination),
        "created_by": basic_user::written(subscription.created_by.as_ref()),
        "created_at": iso_time::format(subscription.created_us),
        "updated_at": iso_time::format(subscription.updated_us),
    }))
}

/// Where it leads is a secret; how sending there goes is not.
fn written_destination(destination: &Destination) -> Value {
    let health = &destination.health;
    json!({
        "id": destination.id,
        "type": destination.kind,
        "label": destination.label,
        "last_success_at": health.last_success_us.map(iso_time::format),
        "last_failure_at": health.last_failure_us.map(iso_time::format),
        "last_failure": health.last_failure,
        "consecutive_failures": health.consecutive_failures,
    })
}
