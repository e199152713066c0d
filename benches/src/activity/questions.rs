//! What readers of an audit trail ask.

use std::time::Duration;

use anyhow::Result;
use engine::Engine;
use engine::query::{
    ActivityFilter, ActivityOrder, ActivityQuery, ActivityTenant, DetailPath, DetailTest, DetailValue,
};
use engine::schema::{OrganizationId, ProjectId};

use super::load::Loaded;

/// Entries of a page.
const PAGE: usize = 100;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

const FIRST_PAGE: Duration = Duration::from_millis(50);
const FILTERS: Duration = Duration::from_millis(20);
const SEARCH: Duration = Duration::from_millis(300);

/// A question, its goal, and what its answer must be.
pub(super) struct Question {
    pub(super) name: &'static str,
    /// Less than this, at ten million entries on two cores.
    pub(super) goal: Option<Duration>,
    organization: OrganizationId,
    ask: Ask,
    /// How large the answer is, where that is known without asking.
    expected: Option<u64>,
}

enum Ask {
    Page(ActivityFilter, ActivityOrder),
    Count(ActivityFilter),
    Overview,
}

impl Question {
    /// Asks, and tells how large the answer is.
    pub(super) async fn ask(&self, engine: &Engine) -> Result<u64> {
        match &self.ask {
            Ask::Page(filter, order) => {
                let (filter, order) = (filter.clone(), *order);
                let query = ActivityQuery { filter, order, after: None, offset: 0, limit: PAGE };
                Ok(engine.activity_page(self.organization, &query).await?.entries.len() as u64)
            }
            Ask::Count(filter) => Ok(engine.activity_count(self.organization, filter).await?),
            Ask::Overview => {
                let all = ActivityTenant::Organization;
                let (values, fields) = engine.activity_overview(self.organization, all, &[]).await?;
                Ok((values.scopes.len() + fields.len()) as u64)
            }
        }
    }

    pub(super) fn is_right(&self, size: u64) -> bool {
        self.expected.is_none_or(|expected| expected == size)
    }
}

/// All of them.
pub(super) fn all(loaded: &Loaded) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut push = |name, goal, ask, expected| {
        questions.push(Question { name, goal: Some(goal), organization: loaded.organization, ask, expected });
    };
    // The first time looks into every file; the goal is for those after it.
    push("what there is to filter by", FILTERS, Ask::Overview, None);
    for (name, filter, num_entries) in single_filters(loaded) {
        let size = num_entries.map(|count| count.min(PAGE as u64));
        push(name, FIRST_PAGE, Ask::Page(filter, ActivityOrder::Latest), size);
    }
    let oldest = Ask::Page(all_entries(), ActivityOrder::Earliest);
    push("the oldest page", FIRST_PAGE, oldest, Some(loaded.num_entries.min(PAGE as u64)));
    for (name, filter) in searches() {
        push(name, SEARCH, Ask::Page(filter, ActivityOrder::Latest), None);
    }
    let flags = ActivityFilter { scopes: vec!["FeatureFlag".into()], ..all_entries() };
    questions.push(Question {
        name: "how many are of a scope",
        goal: None,
        organization: loaded.organization,
        ask: Ask::Count(flags),
        expected: loaded.scopes.get("FeatureFlag").copied(),
    });
    questions
}

fn all_entries() -> ActivityFilter {
    ActivityFilter::all(ActivityTenant::Organization)
}

/// Filters of one condition, and how many entries pass where that is known.
fn single_filters(loaded: &Loaded) -> Vec<(&'static str, ActivityFilter, Option<u64>)> {
    let all = all_entries;
    let (item, num_of_item) = loaded.item.clone();
    let rarest = loaded.scopes.iter().min_by_key(|(scope, count)| (**count, (*scope).clone()));
    let (rare_scope, num_rare) = rarest.map(|(scope, count)| (scope.clone(), *count)).unwrap_or_default();
    let project = ActivityTenant::Project { project: ProjectId(2), with_organization: false };
    let since_us = Some(loaded.middle_us - DAY_US);
    vec![
        ("everything", all(), Some(loaded.num_entries)),
        ("one project", ActivityFilter::all(project), None),
        ("a frequent scope", ActivityFilter { scopes: vec!["FeatureFlag".into()], ..all() }, None),
        ("the rarest scope", ActivityFilter { scopes: vec![rare_scope], ..all() }, Some(num_rare)),
        ("a scope that is not there", ActivityFilter { scopes: vec!["Nothing".into()], ..all() }, Some(0)),
        ("an activity", ActivityFilter { activities: vec!["deleted".into()], ..all() }, None),
        ("one item", ActivityFilter { item_ids: vec![item], ..all() }, Some(num_of_item)),
        ("an item that is not there", ActivityFilter { item_ids: vec!["none".into()], ..all() }, Some(0)),
        (
            "one user",
            ActivityFilter { users: Some(vec![3]), ..all() },
            Some(loaded.users.get(&3).copied().unwrap_or(0)),
        ),
        ("a user who did nothing", ActivityFilter { users: Some(vec![99_999]), ..all() }, Some(0)),
        ("a client", ActivityFilter { clients: vec!["mcp".into()], ..all() }, None),
        ("addresses", ActivityFilter { ip_addresses: vec!["203.0.113.7*".into()], ..all() }, None),
        ("impersonated", ActivityFilter { was_impersonated: Some(true), ..all() }, None),
        ("by the system", ActivityFilter { is_system: Some(true), ..all() }, None),
        ("a day in the middle", ActivityFilter { since_us, until_us: Some(loaded.middle_us), ..all() }, None),
    ]
}

/// Searches in details.
fn searches() -> Vec<(&'static str, ActivityFilter)> {
    let text = |search: &str| ActivityFilter { search: Some(search.to_owned()), ..all_entries() };
    let field = |path: &str, test: DetailTest| {
        let path = DetailPath::parse(path).expect("BUG: the paths are constants");
        ActivityFilter { details: vec![(path, test)], ..all_entries() }
    };
    let is = |value: &str| DetailTest::IsAny(vec![DetailValue::Text(value.to_owned())]);
    vec![
        ("a text in many details", text("changed")),
        ("a text in no detail", text("zanzibar pomegranate")),
        ("a field that many have", field("changes[].field", is("name"))),
        ("a field with a value that nobody has", field("name", is("zanzibar pomegranate"))),
        (
            "a field that contains a text that nobody has",
            field("changes[].after", DetailTest::Contains("zanzibar".to_owned())),
        ),
    ]
}
