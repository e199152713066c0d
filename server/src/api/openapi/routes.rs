//! Endpoints with their descriptions, registered together.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::MethodRouter;

use super::Operation;
use crate::state::AppState;

/// A router, and what its endpoints are.
#[derive(Debug, Default)]
pub(in crate::api) struct Routes {
    router: Router<AppState>,
    described: Vec<Described>,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub(in crate::api) struct Described {
    pub(super) path: String,
    pub(super) method: Method,
    pub(super) operation: Operation,
}

/// The endpoints of one path.
#[derive(Debug, Default)]
pub(in crate::api) struct Methods {
    router: MethodRouter<AppState>,
    described: Vec<(Method, Operation)>,
}

/// A path with a `GET`.
pub(in crate::api) fn get<H: Handler<T, AppState>, T: 'static>(handler: H, operation: Operation) -> Methods {
    Methods::default().get(handler, operation)
}

/// A path with a `POST`.
pub(in crate::api) fn post<H: Handler<T, AppState>, T: 'static>(handler: H, operation: Operation) -> Methods {
    Methods::default().post(handler, operation)
}

impl Methods {
    pub(in crate::api) fn get<H: Handler<T, AppState>, T: 'static>(self, handler: H, op: Operation) -> Self {
        self.with(Method::GET, op, |router| router.get(handler))
    }

    pub(in crate::api) fn post<H: Handler<T, AppState>, T: 'static>(self, handler: H, op: Operation) -> Self {
        self.with(Method::POST, op, |router| router.post(handler))
    }

    pub(in crate::api) fn put<H: Handler<T, AppState>, T: 'static>(self, handler: H, op: Operation) -> Self {
        self.with(Method::PUT, op, |router| router.put(handler))
    }

    pub(in crate::api) fn patch<H: Handler<T, AppState>, T: 'static>(
        self,
        handler: H,
        op: Operation,
    ) -> Self {
        self.with(Method::PATCH, op, |router| router.patch(handler))
    }

    pub(in crate::api) fn delete<H: Handler<T, AppState>, T: 'static>(
        self,
        handler: H,
        op: Operation,
    ) -> Self {
        self.with(Method::DELETE, op, |router| router.delete(handler))
    }

    pub(in crate::api) fn options<H: Handler<T, AppState>, T: 'static>(
        self,
        handler: H,
        op: Operation,
    ) -> Self {
        self.with(Method::OPTIONS, op, |router| router.options(handler))
    }

    /// What answers the other methods of the path; not an endpoint.
    pub(in crate::api) fn otherwise<H: Handler<T, AppState>, T: 'static>(self, handler: H) -> Self {
        Self { router: self.router.fallback(handler), ..self }
    }

    fn with(
        mut self,
        method: Method,
        operation: Operation,
        add: impl FnOnce(MethodRouter<AppState>) -> MethodRouter<AppState>,
    ) -> Self {
        self.described.push((method, operation));
        Self { router: add(self.router), described: self.described }
    }
}

impl Routes {
    pub(in crate::api) fn new() -> Self {
        Self::default()
    }

    /// Adds the endpoints of a path.
    pub(in crate::api) fn at(mut self, path: &str, methods: Methods) -> Self {
        let described = methods.described.into_iter();
        self.described.extend(described.map(|(method, operation)| Described {
            path: path.to_owned(),
            method,
            operation,
        }));
        Self { router: self.router.route(path, methods.router), described: self.described }
    }

    /// Adds the endpoints of other routes.
    pub(in crate::api) fn merge(mut self, other: Self) -> Self {
        self.described.extend(other.described);
        Self { router: self.router.merge(other.router), described: self.described }
    }

    /// Adds the endpoints of other routes below a prefix.
    pub(in crate::api) fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.described.extend(other.described.into_iter().map(|described| Described {
            path: format!("{prefix}{}", described.path.trim_end_matches('/')),
            ..described
        }));
        Self { router: self.router.nest(prefix, other.router), described: self.described }
    }

    /// Puts something around the endpoints.
    pub(in crate::api) fn around(self, wrap: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        Self { router: wrap(self.router), described: self.described }
    }

    /// The endpoints, by path.
    pub(in crate::api) fn described(&self) -> &[Described] {
        &self.described
    }

    pub(in crate::api) fn into_router(self) -> Router<AppState> {
        self.router
    }
}
