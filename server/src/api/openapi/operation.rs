//! One endpoint: what it is for, what it takes and what it answers.

use serde_json::{Value, json};

use super::schema::reference;
use crate::auth::Scope;

/// One endpoint.
#[derive(Clone, Debug)]
pub(in crate::api) struct Operation {
    pub(super) summary: &'static str,
    pub(super) caller: Who,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Content>,
    pub(super) answers: Vec<(u16, Content)>,
    /// Statuses of the shared refusals.
    pub(super) refusals: Vec<u16>,
}

/// Who may call.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// A key with one of these scopes, or a session.
    Scopes(Vec<Scope>),
    /// A key of any kind, where the endpoint says so.
    Key,
    /// Whoever has a project's token.
    Sender,
    /// Everybody.
    Everyone,
}

/// A body with its media type; without a schema there is none.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) says: &'static str,
    pub(super) forms: Vec<(&'static str, Value)>,
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
/// What every endpoint with a known caller may answer.
const OF_CALLERS: [u16; 5] = [401, 403, 404, 429, 500];

/// An endpoint for keys with one of these scopes, and for sessions.
pub(in crate::api) fn op(summary: &'static str, scopes: &[Scope]) -> Operation {
    Operation::new(summary, Who::Scopes(scopes.to_vec()), &OF_CALLERS)
}

impl Operation {
    fn new(summary: &'static str, caller: Who, refusals: &[u16]) -> Self {
        Self {
            summary,
            caller,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: refusals.to_vec(),
        }
    }

    /// An endpoint for everybody.
    pub(in crate::api) fn for_everyone(summary: &'static str) -> Self {
        Self::new(summary, Who::Everyone, &[500])
    }

    /// An endpoint for any personal API key, where the settings ask for one.
    pub(in crate::api) fn for_any_key(summary: &'static str) -> Self {
        Self::new(summary, Who::Key, &[401, 403, 404, 500])
    }

    /// An endpoint for those who have a project's token.
    pub(in crate::api) fn for_senders(summary: &'static str) -> Self {
        Self::new(summary, Who::Sender, &[]).refuses_simply(&[400, 401, 408, 413, 415, 429, 500, 503])
    }

    /// A parameter of the query string.
    pub(in crate::api) fn query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": schema,
            "description": description }));
        self
    }

    /// A parameter of the query string without which there is no answer.
    pub(in crate::api) fn required_query(mut self, name: &str, schema: Value, description: &str) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "required": true, "schema": schema,
            "description": description }));
        self
    }

    /// A JSON body; what is not listed in its schema is ignored.
    pub(in crate::api) fn body(self, schema: Value) -> Self {
        let mut operation = self.body_of(&[(JSON, schema)]);
        operation.refusals.extend([400, 413]);
        operation
    }

    /// A body as JSON, or as a form when its members are plain.
    pub(in crate::api) fn body_or_form(self, schema: Value) -> Self {
        let mut operation =
            self.body_of(&[(JSON, schema.clone()), (FORM, schema.clone()), (MULTIPART, schema)]);
        operation.refusals.extend([400, 413]);
        operation
    }

    /// A body of one of some media types.
    pub(in crate::api) fn body_of(mut self, forms: &[(&'static str, Value)]) -> Self {
        self.body = Some(Content { says: "", forms: forms.to_vec() });
        self
    }

    /// An answer with a JSON body.
    pub(in crate::api) fn answers(self, status: u16, schema: Value) -> Self {
        self.answers_as(status, "what was asked for", &[(JSON, schema)])
    }

    /// What was made.
    pub(in crate::api) fn creates(self, schema: Value) -> Self {
        self.answers_as(201, "made", &[(JSON, schema)])
    }

    /// An answer without a body.
    pub(in crate::api) fn answers_nothing(self, status: u16, says: &'static str) -> Self {
        self.answers_as(status, says, &[])
    }

    /// An answer of one of some media types.
    pub(in crate::api) fn answers_as(
        mut self,
        status: u16,
        says: &'static str,
        forms: &[(&'static str, Value)],
    ) -> Self {
        self.answers.push((status, Content { says, forms: forms.to_vec() }));
        self
    }

    /// A part of a list; which one the usual parameters say.
    pub(in crate::api) fn lists(self, entry: Value) -> Self {
        use super::schema::{integer, list, nullable, object, text};
        self.query(
            "limit",
            text(),
            "how many entries, 100 by default, at most 1,000; what is no number from 1 counts as absent",
        )
        .query(
            "offset",
            text(),
            "how many entries to leave out at the beginning; what is no number from 0 counts as absent",
        )
        .answers(
            200,
            object(&[
                ("count", integer()),
                ("next", nullable(text())),
                ("previous", nullable(text())),
                ("results", list(entry)),
            ]),
        )
    }

    /// A write that may need approval.
    pub(in crate::api) fn may_need_approval(self) -> Self {
        let schema = reference("ApprovalRequired");
        self.answers_as(409, "it needs approval: a change request waits", &[(JSON, schema)])
    }

    /// Further refusals in the usual form.
    pub(in crate::api) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }

    /// Refusals as `{"error": text}`.
    fn refuses_simply(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            let form = (JSON, reference("SimpleError"));
            self.answers.push((*status, Content { says: "refused", forms: vec![form] }));
        }
        self
    }
}
