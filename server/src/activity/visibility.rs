//! Entries that are for the staff of the installation alone.

use engine::activity::ActivityEntry;
use engine::query::HiddenEntries;

/// Entries about the running of the installation, for those who run it.
pub(crate) fn staff_only() -> Vec<HiddenEntries> {
    const PROVISIONING: [&str; 4] =
        ["scim_provisioned", "scim_replaced", "scim_updated", "scim_deprovisioned"];
    let hidden = |scope: &str, activities: &[&str], only_impersonated| HiddenEntries {
        scope: scope.to_owned(),
        activities: activities.iter().map(|activity| (*activity).to_owned()).collect(),
        only_impersonated,
    };
    vec![
        hidden("User", &["logged_in", "logged_out"], true),
        hidden("User", &["created", "updated", "deleted"], false),
        hidden("User", &PROVISIONING, false),
        hidden("Role", &PROVISIONING, false),
        hidden("InstanceSetting", &["updated"], false),
        hidden("AIGatewayCredit", &["credit_added"], false),
        hidden("Team", &["email_sending_suspended", "email_sending_unsuspended"], false),
    ]
}

/// Whether an entry is among those.
pub(crate) fn is_hidden(entry: &ActivityEntry, hidden: &[HiddenEntries]) -> bool {
    hidden.iter().any(|hidden| {
        entry.scope == hidden.scope
            && hidden.activities.contains(&entry.activity)
            && (!hidden.only_impersonated || entry.was_impersonated == Some(true))
    })
}
