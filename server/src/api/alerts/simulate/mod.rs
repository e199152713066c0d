//! `POST logs/alerts/simulate`: what an alert would have done over history. Writes nothing.
//!
//! `request` reads what is simulated, `history` asks for what is known of each service, `answer` writes what came of it.

mod answer;
mod history;
mod request;

use axum::Json;
use axum::extract::State;
use engine::query::TimeRange;
use engine::schema::ProjectId;

use self::answer::Answer;
use self::request::{MAX_DATE_CHARS, MAX_INTERVAL_MINUTES, Request};
use super::described;
use crate::alerts::failure::Failure;
use crate::alerts::grouped_simulation;
use crate::alerts::services::MAX_SERVICES;
use crate::alerts::settings::{GroupBy, MAX_NUMBER, MAX_PERIODS};
use crate::api::api_call::ApiCall;
use crate::api::openapi::schema::{integer_within, one_of, text_up_to, with_required};
use crate::api::openapi::{Routes, op, post};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// The endpoint, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let operator = || one_of(&["above", "below"]);
    let up_to = |max: u32| integer_within(1, i64::from(max));
    let body = with_required(
        &[
            ("filters", described::filters()),
            ("threshold_count", up_to(MAX_NUMBER)),
            ("threshold_operator", operator()),
            ("window_minutes", integer_within(5, 60)),
            ("check_interval_minutes", up_to(MAX_INTERVAL_MINUTES)),
            ("evaluation_periods", up_to(MAX_PERIODS)),
            ("datapoints_to_alarm", up_to(MAX_PERIODS)),
            ("cooldown_minutes", integer_within(0, i64::from(MAX_NUMBER))),
            ("no_data", described::no_data()),
            ("group_by", described::group_by()),
            ("date_from", text_up_to(MAX_DATE_CHARS)),
        ],
        &["filters", "threshold_count", "threshold_operator", "window_minutes", "date_from"],
    );
    let described = op("What an alert would have done over history", &[Scope::LOGS_READ])
        .body(body)
        .answers(200, answer::described(operator()))
        .refuses(&[503, 504]);
    Routes::new().at("/logs/alerts/simulate", post(simulate, described))
}

async fn simulate(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = request::parse(&call.into_json()?, state.clock().now_us())?;
    let answer = match request.group_by {
        GroupBy::Nothing => together(&state, project, &request).await?,
        GroupBy::Service => by_service(&state, project, request).await?,
    };
    Ok(Json(answer))
}

async fn together(state: &AppState, project: ProjectId, request: &Request) -> Result<Answer, ApiError> {
    let Request { filter, simulation, .. } = request;
    let (start_us, end_us) = simulation.counted_range();
    let range = TimeRange { start_us, end_us };
    let counted = state.engine().count_every(project, filter, range, simulation.cell_minutes()).await?;
    let cells: Vec<(i64, u64)> = counted.iter().map(|cell| (cell.start_us, cell.count)).collect();
    Ok(answer::together(simulation, &simulation.run(&cells)))
}

async fn by_service(state: &AppState, project: ProjectId, request: Request) -> Result<Answer, ApiError> {
    let Request { filter, simulation, .. } = request;
    let histories = history::of_services(state.engine(), project, &filter, &simulation).await?;
    if histories.len() > MAX_SERVICES {
        let failure = Failure::too_many_services(histories.len());
        return Err(ApiError::validation("invalid_input", Some("filters".to_owned()), failure.text));
    }
    // Hundreds of services over a month of checks take a while.
    let simulated = tokio::task::spawn_blocking(move || {
        let (checks, services) = grouped_simulation::run(&simulation, &histories, &filter.service_names);
        answer::by_service(&simulation, &checks, services)
    });
    simulated.await.map_err(ApiError::internal)
}
