//! `/api/users/@me/`: who the caller is, and what callers change of themselves.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::input::Input;
use super::login::password;
use super::openapi::schema::{boolean, integer, list, members, moment, nullable, object, text, uuid};
use super::openapi::{Routes, get, op};
use super::{basic_user, iso_time};
use crate::accounts::users::{self, Current, MAX_NAME_CHARS, UserChange, hash_chosen_password};
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::meta::organization::Organization;
use crate::meta::user::{BasicUser, User};
use crate::password as passwords;
use crate::secret::Secret;
use crate::state::AppState;

/// What a path may say in place of the caller's UUID.
const ME: &str = "@me";
/// What a user can say to be; empty is nothing.
const ROLES: [&str; 10] =
    ["engineering", "data", "product", "founder", "leadership", "marketing", "sales", "student", "other", ""];

/// The routes.
pub(super) fn routes() -> Routes {
    let body = members(&[
        ("first_name", text()),
        ("last_name", text()),
        ("role_at_organization", nullable(text())),
        ("password", text()),
        ("current_password", text()),
        ("set_current_organization", nullable(uuid())),
        ("set_current_team", nullable(integer())),
    ]);
    let one = get(retrieve, op("Who the caller is", &[Scope::USER_READ]).answers(200, described())).patch(
        change,
        op("Change who the caller is", &[Scope::USER_WRITE]).body_or_form(body).answers(200, described()),
    );
    Routes::new().at("/api/users/{user_uuid}", one)
}

/// The form of the caller.
pub(super) fn described() -> Value {
    let organization = || object(&[("id", uuid()), ("name", text()), ("slug", text())]);
    object(&[
        ("id", integer()),
        ("uuid", uuid()),
        ("first_name", text()),
        ("last_name", text()),
        ("email", text()),
        ("role_at_organization", nullable(text())),
        ("is_staff", boolean()),
        ("date_joined", moment()),
        ("has_password", boolean()),
        ("organization", nullable(organization())),
        ("organizations", list(organization())),
        ("team", nullable(object(&[("id", integer())]))),
    ])
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = authorize(&state, &call, Scope::USER_READ).await?;
    Ok(Json(written(&state, caller.user()).await?))
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = authorize(&state, &call, Scope::USER_WRITE).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let input = Input::of(call.json()?)?;
    let mut change = UserChange {
        first_name: input.text_or_blank("first_name", MAX_NAME_CHARS)?,
        last_name: input.text_or_blank("last_name", MAX_NAME_CHARS)?,
        role_at_organization: role(&input)?,
        password_hash: None,
        current: current(&input, &caller)?,
    };
    if let Some(chosen) = password(&input, "password")? {
        let given = password(&input, "current_password")?;
        require_password(&state, &call, &caller, given).await?;
        change.password_hash = Some(hash_chosen_password(&chosen).await?);
    }
    let kept = caller.session().map(|session| session.id.as_str());
    let user = users::update(state.meta(), &actor, caller.user_id(), change, kept, now_us).await?;
    Ok(Json(written(&state, &user).await?))
}

/// Nobody sees another user here; members of an organization see each other among its members.
async fn authorize(state: &AppState, call: &ApiCall, scope: Scope) -> Result<Caller, ApiError> {
    let caller = call.authorize_user(state, scope).await?;
    if ![ME, caller.user().uuid.as_str()].contains(&call.path_parameter("user_uuid")) {
        return Err(ApiError::not_found("user not found"));
    }
    Ok(caller)
}

/// Who changes a password knows the one before, or has none and has just signed on: a stolen key or an open page is
/// not enough.
async fn require_password(
    state: &AppState,
    call: &ApiCall,
    caller: &Caller,
    given: Option<Secret>,
) -> Result<(), ApiError> {
    const KEY: &str = "current_password";
    let refuse =
        |code, reason: &str| ApiError::validation(code, Some(KEY.to_owned()), format!("{KEY}: {reason}"));
    let now_us = state.clock().now_us();
    let Some(hash) = state.meta().password_hash(caller.user_id()).await? else {
        if caller.session().is_none() {
            return Err(ApiError::permission_denied("a key cannot give its owner a first password"));
        }
        return caller.require_recent_log_in(state.config().auth.sensitive_max_age, now_us);
    };
    let given = given.ok_or_else(|| refuse("required", "this field is required"))?;
    let throttle = state.login_throttle();
    let attempt =
        throttle.begin(&caller.user().email, call.ip_address(), now_us).map_err(ApiError::throttled)?;
    if !passwords::verify(&given, Some(&hash)).await? {
        return Err(refuse("incorrect_password", "this is not your password"));
    }
    throttle.succeeded(attempt);
    Ok(())
}

fn role(input: &Input<'_>) -> Result<Option<Option<String>>, ApiError> {
    const KEY: &str = "role_at_organization";
    if input.value(KEY).is_some_and(Value::is_null) {
        return Ok(Some(None));
    }
    let words = ROLES.map(|role| (role, role));
    Ok(input.choice(KEY, &words)?.map(|role| Some(role.to_owned())))
}

/// A restricted key cannot turn its owner's `@current` to what it is not for.
fn current(input: &Input<'_>, caller: &Caller) -> Result<Option<Current>, ApiError> {
    const ORGANIZATION: &str = "set_current_organization";
    const PROJECT: &str = "set_current_team";
    if let Some(id) = input.nullable_integer(PROJECT, 1..=i64::MAX)?.flatten() {
        return if caller.may_reach_project(engine::schema::ProjectId(id)) {
            Ok(Some(Current::Project(id)))
        } else {
            Err(input.refuse("does_not_exist", PROJECT, "the API key is for other projects"))
        };
    }
    match input.nullable_uuid(ORGANIZATION)?.flatten().map(|id| id.to_string()) {
        Some(id) if caller.may_reach(&id) => Ok(Some(Current::Organization(id))),
        Some(_) => {
            Err(input.refuse("does_not_exist", ORGANIZATION, "the API key is for other organizations"))
        }
        None => Ok(None),
    }
}

/// The user's members.
pub(super) async fn written(state: &AppState, user: &User) -> Result<Value, ApiError> {
    let organizations = state.meta().organizations_of_user(user.id).await?;
    let short = |organization: &Organization| json!({ "id": organization.id, "name": organization.settings.name, "slug": organization.slug });
    let current =
        |organization: &&Organization| Some(&organization.id) == user.current_organization_id.as_ref();
    let mut object = basic_user::written(Some(&BasicUser::from(user)));
    object["is_staff"] = user.is_staff.into();
    object["date_joined"] = iso_time::format(user.created_us).into();
    object["has_password"] = state.meta().password_hash(user.id).await?.is_some().into();
    object["organization"] = organizations.iter().find(current).map(short).into();
    object["organizations"] = organizations.iter().map(short).collect();
    object["team"] = user.current_project_id.map(|id| json!({ "id": id })).into();
    Ok(object)
}
