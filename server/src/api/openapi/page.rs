//! The description of the API, and the page that shows it. Nothing is loaded from elsewhere.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

use super::archive::file_in;
use super::schema::text;
use super::{Operation, Routes, document, get};
use crate::error::ApiError;

/// The document, written once.
static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| document(crate::api::routes().described()).to_string().into());

/// The files of Swagger UI that the page needs.
static SCRIPT: LazyLock<Option<Bytes>> = LazyLock::new(|| unpacked("/dist/swagger-ui-bundle.js"));
static STYLES: LazyLock<Option<Bytes>> = LazyLock::new(|| unpacked("/dist/swagger-ui.css"));

const PAGE: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Timberline API</title>
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({ url: "/api/schema/", dom_id: "#page", deepLinking: true, validatorUrl: null });
</script>
</body>
</html>
"##;

fn unpacked(ending: &str) -> Option<Bytes> {
    file_in(SWAGGER_UI_VENDORED, ending).map(Bytes::from)
}

pub(in crate::api) fn routes() -> Routes {
    let schema = Operation::for_everyone("This document").answers(200, super::schema::anything());
    let page = Operation::for_everyone("A page that shows this document").answers_as(
        200,
        "the page",
        &[("text/html", text())],
    );
    let file = Operation::for_everyone("A file of that page")
        .answers_as(200, "the file", &[("text/javascript", text()), ("text/css", text())])
        .refuses(&[404]);
    Routes::new()
        .at("/api/schema", get(schema_document, schema))
        .at("/api/docs", get(show, page))
        .at("/api/docs/{file}", get(asset, file))
}

async fn schema_document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

async fn show() -> Html<&'static str> {
    Html(PAGE)
}

async fn asset(Path(file): Path<String>) -> Result<Response, ApiError> {
    let (content, media_type) = match file.as_str() {
        "swagger-ui-bundle.js" => (&*SCRIPT, "text/javascript; charset=utf-8"),
        "swagger-ui.css" => (&*STYLES, "text/css; charset=utf-8"),
        _ => return Err(ApiError::not_found("the page has no such file")),
    };
    let content = content.clone().ok_or_else(|| ApiError::not_found("the page has no such file"))?;
    Ok(([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "max-age=86400")], content).into_response())
}
