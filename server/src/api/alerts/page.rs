//! Where links of notifications lead: as long as there are no pages, to one that says how to ask.

use axum::response::Html;

/// Says nothing of any project, so that everybody may see it.
const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<head><meta charset=\"utf-8\"><title>Timberline</title></head>
<body>
<h1>Timberline</h1>
<p>This server has no pages for logs, alerts, activity and approvals. Its API answers instead, with a personal API key:</p>
<ul>
<li><code>POST /api/projects/:id/logs/query/</code> for the logs that an alert has counted;
the parameters of this address are members of the query.</li>
<li><code>GET /api/projects/:id/logs/alerts/:alert_id/</code> for an alert,
and <code>.../events/</code> for what happened to it.</li>
<li><code>GET /api/projects/:id/advanced_activity_logs/</code> for entries of the audit trail,
with the parameters of this address.</li>
<li><code>GET /api/projects/:id/change_requests/:request_id/</code> for a change that waits for approval,
and <code>POST .../approve/</code> and <code>.../reject/</code> to decide about it;
the same below <code>/api/organizations/:id/</code>.</li>
</ul>
<p><a href=\"/api/docs/\">All of the API</a></p>
</body>
</html>
";

pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}
