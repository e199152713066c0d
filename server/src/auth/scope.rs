//! Scopes: what a personal API key may do, as `object:action`.

use std::fmt;

use crate::meta::access_control::{AccessLevel, Resource};

/// The objects that keys are made for.
const OBJECTS: [&str; 14] = [
    "activity_log",
    "alert",
    "approvals",
    "export",
    "hog_function",
    "insight",
    "logs",
    "metrics",
    "organization",
    "organization_member",
    "project",
    "query",
    "tracing",
    "user",
];

/// Whether a key can be given a scope: `*`, or `object:read` or `object:write` of a known object.
pub fn is_known_scope(scope: &str) -> bool {
    match scope.split_once(':') {
        None => scope == "*",
        Some((object, action)) => OBJECTS.contains(&object) && ["read", "write"].contains(&action),
    }
}

/// Whether scopes allow everything that another scope does. None at all are of the time before scopes, and do.
pub(super) fn implies(scopes: &[String], wanted: &str) -> bool {
    let is_enough = |scope: &String| match (scope.split_once(':'), wanted.split_once(':')) {
        _ if scope == "*" || scope == wanted => true,
        (Some((object, "write")), Some((wanted_object, "read"))) => object == wanted_object,
        _ => false,
    };
    scopes.is_empty() || scopes.iter().any(is_enough)
}

/// What an endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    object: &'static str,
    action: Action,
}

/// The two things that can be done to an object; writing implies reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Read,
    Write,
}

impl Scope {
    /// Needed by every question about logs.
    pub const LOGS_READ: Self = Self { object: "logs", action: Action::Read };
    /// Needed to change what belongs to logs, and to have one explained.
    pub const LOGS_WRITE: Self = Self { object: "logs", action: Action::Write };
    /// Needed to see an organization, its roles and invitations.
    pub const ORGANIZATION_READ: Self = Self { object: "organization", action: Action::Read };
    /// Needed to change an organization, its roles and invitations.
    pub const ORGANIZATION_WRITE: Self = Self { object: "organization", action: Action::Write };
    /// Needed to see who is in an organization.
    pub const MEMBER_READ: Self = Self { object: "organization_member", action: Action::Read };
    /// Needed to change who is in an organization.
    pub const MEMBER_WRITE: Self = Self { object: "organization_member", action: Action::Write };
    /// Needed to see projects and their tokens.
    pub const PROJECT_READ: Self = Self { object: "project", action: Action::Read };
    /// Needed to change projects and their tokens.
    pub const PROJECT_WRITE: Self = Self { object: "project", action: Action::Write };
    /// Needed to see who the caller is, and the own keys.
    pub const USER_READ: Self = Self { object: "user", action: Action::Read };
    /// Needed to change what the caller is, and the own keys.
    pub const USER_WRITE: Self = Self { object: "user", action: Action::Write };
    /// Needed to see exports that somebody else has asked for.
    pub const EXPORT_READ: Self = Self { object: "export", action: Action::Read };

    /// Needed to see approval policies and change requests.
    pub const APPROVALS_READ: Self = Self { object: "approvals", action: Action::Read };
    /// Needed to change approval policies, and to decide about change requests.
    pub const APPROVALS_WRITE: Self = Self { object: "approvals", action: Action::Write };

    /// Needed to read the audit trail.
    pub const ACTIVITY_READ: Self = Self { object: "activity_log", action: Action::Read };
    /// Needed to add entries to the audit trail.
    pub const ACTIVITY_WRITE: Self = Self { object: "activity_log", action: Action::Write };

    /// What it is about in a project as access controls name it, and the level that it takes there.
    pub(super) fn resource(self) -> Option<(Resource, AccessLevel)> {
        let resource = match self.object {
            "project" => Resource::Project,
            "logs" | "query" | "alert" | "hog_function" => Resource::Logs,
            "activity_log" => Resource::ActivityLog,
            "approvals" => Resource::Approvals,
            "export" => Resource::Export,
            _ => return None,
        };
        let needed = match (resource, self.action) {
            (Resource::Project, Action::Read) => AccessLevel::Member,
            (Resource::Project, Action::Write) => AccessLevel::Admin,
            // There is no higher one.
            (Resource::ActivityLog, _) | (_, Action::Read) => AccessLevel::Viewer,
            (_, Action::Write) => AccessLevel::Editor,
        };
        Some((resource, needed))
    }

    /// Whether it changes who may do what in an organization.
    pub fn is_sensitive(self) -> bool {
        [Self::ORGANIZATION_WRITE, Self::MEMBER_WRITE].contains(&self)
    }

    /// Whether a key with these scopes may do it. A key without any is of the time before scopes, and may.
    pub fn is_granted_by(self, scopes: &[String]) -> bool {
        scopes.is_empty() || scopes.iter().any(|scope| scope == "*" || self.is_implied_by(scope))
    }

    fn is_implied_by(self, scope: &str) -> bool {
        match scope.split_once(':') {
            Some((object, action)) => {
                object == self.object
                    && match self.action {
                        Action::Read => action == "read" || action == "write",
                        Action::Write => action == "write",
                    }
            }
            None => false,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Read => "read",
            Action::Write => "write",
        };
        write!(f, "{}:{action}", self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_grant_what_they_name() {
        for (scopes, granted) in [
            (vec!["*"], true),
            (vec![], true),
            (vec!["logs:read"], true),
            (vec!["logs:write"], true),
            (vec!["alert:read", "logs:read"], true),
            (vec!["alert:write"], false),
            (vec!["logs"], false),
            (vec!["logs:delete"], false),
            (vec!["*:read"], false),
        ] {
            let scopes: Vec<String> = scopes.into_iter().map(str::to_owned).collect();
            assert_eq!(Scope::LOGS_READ.is_granted_by(&scopes), granted, "{scopes:?}");
        }
    }

    #[test]
    fn reading_does_not_imply_writing() {
        for (scope, granted) in
            [("logs:read", false), ("logs:write", true), ("*", true), ("export:write", false)]
        {
            assert_eq!(Scope::LOGS_WRITE.is_granted_by(&[scope.to_owned()]), granted, "{scope}");
        }
    }

    #[test]
    fn no_scope_implies_more_than_itself() {
        let own: Vec<String> = ["logs:write", "export:read"].map(str::to_owned).to_vec();
        for (wanted, expected) in [
            ("logs:read", true),
            ("logs:write", true),
            ("export:write", false),
            ("*", false),
            ("user:read", false),
        ] {
            assert_eq!(implies(&own, wanted), expected, "{wanted}");
        }
        assert!(implies(&["*".to_owned()], "user:write") && implies(&[], "*"));
    }

    #[test]
    fn known_scopes_are_objects_with_an_action() {
        for (scope, known) in
            [("*", true), ("logs:read", true), ("logs", false), ("logs:*", false), ("x:read", false)]
        {
            assert_eq!(is_known_scope(scope), known, "{scope}");
        }
    }

    #[test]
    fn a_scope_is_written_as_object_and_action() {
        assert_eq!(Scope::LOGS_READ.to_string(), "logs:read");
        assert_eq!(Scope::LOGS_WRITE.to_string(), "logs:write");
    }
}
