//! The API's description as an OpenAPI 3.1 document, made from the same list as the router.
//!
//! Every endpoint is registered with its handler and an [`Operation`] in one call, so that there is no route without
//! a description and no description without a route. [`routes`] is that list, [`operation`] one endpoint, [`schema`]
//! the forms of bodies and answers, [`shared`] those that several endpoints have, `document` writes it all down, and
//! [`page`] shows it to people.

mod archive;
mod document;
mod operation;
pub(super) mod page;
mod routes;
pub(super) mod schema;
pub(super) mod shared;

pub(super) use document::document;
pub(super) use operation::{Operation, op};
pub(super) use routes::{Methods, Routes, get, post};
