//! What rules of every kind share: their life, and their common members.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::schema::ProjectId;
use serde_json::{Map, Value, json};

use crate::activity::entry::Actor;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::api::input::Input;
use crate::api::{basic_user, iso_time, page};
use crate::approvals::action::{RuleWrite, Write};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::MetaError;
use crate::meta::approval::Place;
use crate::meta::rule::{MAX_RULES, Rule, RuleContent, RuleError, RuleKind};
use crate::state::AppState;

const MAX_NAME_CHARS: usize = 255;
/// Most bytes of what a rule says, as JSON text.
const MAX_DEFINITION_BYTES: usize = 256 * 1024;

/// A kind of rules.
pub(super) trait Kind: Send + Sync + 'static {
    /// As it is stored.
    const KIND: RuleKind;

    /// The members that rules of this kind have beside the common ones, and what they are in a new rule.
    fn members() -> Vec<(&'static str, Value)>;

    /// Members that never change.
    const IMMUTABLE: &'static [&'static str] = &[];

    /// The member that is unique in a project.
    const UNIQUE: Option<&'static str> = None;

    /// Refuses what a rule of this kind cannot say, by the rules that there would be then: all of the kind, in their
    /// order, this one among them. May take some milliseconds.
    fn check(rule: &Draft, rules: &[Draft]) -> Result<(), ApiError>;
}

/// A rule as it would be.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Empty for a new rule.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) definition: Value,
}

/// What a body must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Required {
    Name,
    Nothing,
}

pub(super) async fn list<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let window = page::window(&call);
    let rules = state.meta().rules(project, K::KIND).await?;
    let place = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let shown = rules.iter().skip(place(window.offset)).take(place(window.limit));
    let shown = shown.map(written).collect::<Result<_, _>>()?;
    Ok(Json(page::page(&call.address(), window, rules.len() as i64, shown)))
}

pub(super) async fn retrieve<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    Ok(Json(written(&find(&state, project, K::KIND, rule_id(&call)).await?)?))
}

pub(super) async fn create<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (place, project, actor) = authorize_change(&state, &call).await?;
    let body = call.into_json()?;
    let content = content::<K>(&state, project, &body, None, Required::Name).await?;
    let write = RuleWrite::Create { kind: K::KIND, rule: content };
    let id = gated::perform(&state, place, &actor, ("POST", Write::LogsRule(write))).await?.resource_id;
    Ok((StatusCode::CREATED, Json(written(&find(&state, project, K::KIND, &id).await?)?)))
}

pub(super) async fn change<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    update::<K>(&state, call, Required::Nothing).await
}

/// `PUT`: like `PATCH`, but the name must be there.
pub(super) async fn replace<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    update::<K>(&state, call, Required::Name).await
}

async fn update<K: Kind>(
    state: &AppState,
    call: ApiCall,
    required: Required,
) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_change(state, &call).await?;
    let id = rule_id(&call).to_owned();
    let rule = find(state, project, K::KIND, &id).await?;
    let content = content::<K>(state, project, &call.into_json()?, Some(&rule), required).await?;
    let method = if required == Required::Name { "PUT" } else { "PATCH" };
    let write = RuleWrite::Change { kind: K::KIND, rule_id: id.clone(), rule: content };
    gated::perform(state, place, &actor, (method, Write::LogsRule(write))).await?;
    Ok(Json(written(&find(state, project, K::KIND, &id).await?)?))
}

pub(super) async fn remove<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<StatusCode, ApiError> {
    let (place, _, actor) = authorize_change(&state, &call).await?;
    let write = RuleWrite::Delete { kind: K::KIND, rule_id: rule_id(&call).to_owned() };
    gated::perform(&state, place, &actor, ("DELETE", Write::LogsRule(write))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `{"ordered_ids": [every rule of the kind, once]}`.
pub(super) async fn reorder<K: Kind>(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_change(&state, &call).await?;
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let ids = input.required("ordered_ids", input.list("ordered_ids", MAX_RULES)?)?;
    let ordered_ids = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let write = RuleWrite::Reorder { kind: K::KIND, ordered_ids };
    gated::perform(&state, place, &actor, ("POST", Write::LogsRule(write))).await?;
    let rules = state.meta().rules(project, K::KIND).await?;
    let rules: Vec<Value> = rules.iter().map(written).collect::<Result<_, _>>()?;
    Ok(Json(json!({ "count": rules.len(), "next": null, "previous": null, "results": rules })))
}

/// Who changes the rules of which project.
async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<(Place, ProjectId, Actor), ApiError> {
    let (place, project, caller) = call.authorize_place(state, &[Scope::LOGS_WRITE]).await?;
    Ok((place, project, call.actor(&caller)))
}

/// The stored rule with an id.
///
/// # Errors
/// 404 when the project has none of this kind.
pub(super) async fn find(
    state: &AppState,
    project: ProjectId,
    kind: RuleKind,
    id: &str,
) -> Result<Rule, ApiError> {
    let rules = state.meta().rules(project, kind).await?;
    rules.into_iter().find(|rule| rule.id == id).ok_or_else(not_found)
}

pub(super) fn rule_id(call: &ApiCall) -> &str {
    call.path_parameter("rule_id")
}

pub(crate) fn not_found() -> ApiError {
    ApiError::not_found("rule not found")
}

/// The answer to a write of a rule that was not stored; `unique` is the member that is unique in a project.
pub(super) fn refused_of(unique: Option<&str>, error: RuleError) -> ApiError {
    let detail = error.to_string();
    match error {
        RuleError::Meta(error) => error.into(),
        RuleError::TooMany(_) => ApiError::validation("max_length", None, detail),
        RuleError::OtherIds => ApiError::validation("invalid_input", Some("ordered_ids".to_owned()), detail),
        RuleError::MetricNameTaken => ApiError::validation("unique", unique.map(str::to_owned), detail),
    }
}

/// What is to be stored: what the body says over what is stored, or over the defaults.
async fn content<K: Kind>(
    state: &AppState,
    project: ProjectId,
    body: &Value,
    stored: Option<&Rule>,
    required: Required,
) -> Result<RuleContent, ApiError> {
    let input = Input::of(body)?;
    let name = input.text("name", MAX_NAME_CHARS)?;
    let name = match required {
        Required::Name => Some(input.required("name", name)?),
        Required::Nothing => name,
    };
    let enabled = input.boolean("enabled")?;
    let priority = input.nullable_integer("priority", 0..=i64::from(i32::MAX))?.flatten();
    let definition = definition::<K>(body, stored)?;
    let text = definition.to_string();
    if text.len() > MAX_DEFINITION_BYTES {
        let detail = format!("what the rule says is larger than {MAX_DEFINITION_BYTES} bytes");
        return Err(ApiError::validation("max_length", None, detail));
    }
    let draft = Draft {
        id: stored.map(|rule| rule.id.clone()).unwrap_or_default(),
        name: name.or_else(|| stored.map(|rule| rule.name.clone())).unwrap_or_default(),
        enabled: enabled.or_else(|| stored.map(|rule| rule.enabled)).unwrap_or(false),
        definition,
    };
    let drafts = with_draft(&draft, &state.meta().rules(project, K::KIND).await?)?;
    let metric_name = K::UNIQUE.and_then(|key| draft.definition.get(key)?.as_str().map(str::to_owned));
    let (name, enabled) = (draft.name.clone(), draft.enabled);
    // Compiling a hundred patterns takes some milliseconds.
    let checked = tokio::task::spawn_blocking(move || K::check(&draft, &drafts));
    checked.await.map_err(ApiError::internal)?.map_err(ApiError::into_validation)?;
    Ok(RuleContent { name, enabled, priority, metric_name, definition: text })
}

/// Refuses a rule that was validated before and is not valid any more beside the rules that there are now.
pub(super) fn recheck_of<K: Kind>(
    id: Option<&str>,
    content: &RuleContent,
    rules: &[Rule],
) -> Result<(), ApiError> {
    let definition = serde_json::from_str(&content.definition).map_err(ApiError::internal)?;
    let draft = Draft {
        id: id.unwrap_or_default().to_owned(),
        name: content.name.clone(),
        enabled: content.enabled,
        definition,
    };
    K::check(&draft, &with_draft(&draft, rules)?).map_err(ApiError::into_validation)
}

/// The rules that there would be.
fn with_draft(draft: &Draft, rules: &[Rule]) -> Result<Vec<Draft>, MetaError> {
    let mut drafts = drafts(rules)?;
    match drafts.iter_mut().find(|other| other.id == draft.id) {
        Some(place) => *place = draft.clone(),
        None => drafts.push(draft.clone()),
    }
    Ok(drafts)
}

fn drafts(rules: &[Rule]) -> Result<Vec<Draft>, MetaError> {
    let draft = |rule: &Rule| {
        Ok(Draft {
            id: rule.id.clone(),
            name: rule.name.clone(),
            enabled: rule.enabled,
            definition: definition_of(rule)?,
        })
    };
    rules.iter().map(draft).collect()
}

/// What a stored rule says.
///
/// # Errors
/// [`MetaError::Corrupt`] when it is no JSON.
pub(crate) fn definition_of(rule: &Rule) -> Result<Value, MetaError> {
    serde_json::from_str(&rule.definition)
        .map_err(|error| MetaError::Corrupt(format!("a rule that cannot be read: {error}")))
}

fn definition<K: Kind>(body: &Value, stored: Option<&Rule>) -> Result<Value, ApiError> {
    let stored = stored.map(definition_of).transpose()?;
    let mut members = Map::new();
    for (key, default) in K::members() {
        let before = stored.as_ref().and_then(|stored| stored.get(key)).cloned();
        let value = match (body.get(key), before) {
            (Some(sent), Some(before)) if K::IMMUTABLE.contains(&key) && *sent != before => {
                let detail = format!("{key}: this never changes");
                return Err(ApiError::validation("invalid_input", Some(key.to_owned()), detail));
            }
            (Some(sent), _) => sent.clone(),
            (None, before) => before.unwrap_or(default),
        };
        members.insert(key.to_owned(), value);
    }
    Ok(Value::Object(members))
}

fn written(rule: &Rule) -> Result<Value, MetaError> {
    let mut json = definition_of(rule)?;
    json["id"] = json!(rule.id);
    json["name"] = json!(rule.name);
    json["enabled"] = json!(rule.enabled);
    json["priority"] = json!(rule.priority);
    json["version"] = json!(rule.version);
    json["created_by"] = basic_user::written(rule.created_by.as_ref());
    json["created_at"] = json!(iso_time::format(rule.created_at_us));
    json["updated_at"] = json!(iso_time::format(rule.updated_at_us));
    Ok(json)
}
