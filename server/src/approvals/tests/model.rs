//! Random people do random things to requests; a model that is nothing but rules says what must come of it.

use proptest::prelude::*;

use super::super::jobs::ApprovalJobs;
use super::super::{Stopped, Undecided};
use super::{Bench, HOUR_US, NOW_US, keep};
use crate::meta::approval::{RequestState, Validation};
use crate::meta::testing::on_every_backend;

/// People who take part.
const NUM_PEOPLE: usize = 4;
/// Who needs no approval.
const OWNER: usize = 0;
const MAX_DAYS: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Write { person: usize, days: u32 },
    Approve { person: usize },
    Reject { person: usize },
    Cancel { person: usize },
    Wait { minutes: i64 },
    Jobs,
}

/// What may happen under a policy.
#[derive(Clone, Debug)]
struct Plan {
    quorum: usize,
    approvers: Vec<usize>,
    allow_self_approve: bool,
    steps: Vec<Step>,
}

fn step() -> impl Strategy<Value = Step> {
    let person = || 0..NUM_PEOPLE;
    prop_oneof![
        4 => (person(), 1..=MAX_DAYS).prop_map(|(person, days)| Step::Write { person, days }),
        6 => person().prop_map(|person| Step::Approve { person }),
        1 => person().prop_map(|person| Step::Reject { person }),
        2 => person().prop_map(|person| Step::Cancel { person }),
        1 => (1_i64..40).prop_map(|minutes| Step::Wait { minutes }),
        2 => Just(Step::Jobs),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let approvers = proptest::sample::subsequence((0..NUM_PEOPLE).collect::<Vec<_>>(), 1..=NUM_PEOPLE);
    let steps = proptest::collection::vec(step(), 1..40);
    (1_usize..4, approvers, any::<bool>(), steps).prop_map(
        |(quorum, approvers, allow_self_approve, steps)| Plan {
            quorum,
            approvers,
            allow_self_approve,
            steps,
        },
    )
}

/// The last request, as it must be.
#[derive(Clone, Debug)]
struct Asked {
    id: String,
    requester: usize,
    days: u32,
    before: Option<u32>,
    voters: Vec<usize>,
    num_yes: usize,
    is_stale: bool,
    expires_us: i64,
    state: RequestState,
}

/// What a vote must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Denied,
    Lost,
    State(RequestState),
}

#[derive(Debug)]
struct Model<'p> {
    plan: &'p Plan,
    now_us: i64,
    days: Option<u32>,
    asked: Option<Asked>,
    num_writes: usize,
}

impl Model<'_> {
    fn is_votable(&self, asked: &Asked) -> bool {
        asked.state == RequestState::Pending && self.now_us < asked.expires_us
    }

    fn vote(&mut self, person: usize, is_yes: bool) -> End {
        let Some(mut asked) = self.asked.clone() else { return End::Denied };
        let is_own = asked.requester == person && !self.plan.allow_self_approve;
        if !self.is_votable(&asked) || is_own || !self.plan.approvers.contains(&person) {
            return End::Denied;
        }
        if asked.voters.contains(&person) {
            return End::Lost;
        }
        asked.voters.push(person);
        asked.num_yes += usize::from(is_yes);
        asked.state = match is_yes {
            false => RequestState::Rejected,
            true if asked.num_yes < self.plan.quorum => RequestState::Pending,
            true if self.days == Some(asked.days) => RequestState::Applied,
            true if self.days != asked.before => RequestState::Failed,
            true => {
                self.num_writes += 1;
                self.days = Some(asked.days);
                RequestState::Applied
            }
        };
        let end = End::State(asked.state);
        self.asked = Some(asked);
        end
    }

    fn cancel(&mut self, person: usize) -> End {
        let Some(mut asked) = self.asked.clone() else { return End::Denied };
        let is_free = asked.num_yes == 0 || asked.is_stale;
        if !self.is_votable(&asked) || asked.requester != person || !is_free {
            return End::Denied;
        }
        if asked.voters.contains(&person) {
            return End::Lost;
        }
        asked.state = RequestState::Rejected;
        self.asked = Some(asked);
        End::State(RequestState::Rejected)
    }

    fn jobs(&mut self) {
        let (now_us, days) = (self.now_us, self.days);
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.state == RequestState::Pending) {
            asked.is_stale |= days != asked.before;
            if asked.expires_us <= now_us {
                asked.state = RequestState::Expired;
            }
        }
    }
}

fn end(decided: Result<crate::meta::approval::ChangeRequest, Undecided>) -> End {
    match decided {
        Ok(request) => End::State(request.state),
        Err(Undecided::Denied(_)) => End::Denied,
        Err(Undecided::Lost(_)) => End::Lost,
        Err(Undecided::Failed(error)) => panic!("{error}"),
    }
}

async fn write(bench: &Bench, model: &mut Model<'_>, person: usize, days: u32) {
    let open = model.asked.as_ref().filter(|asked| asked.state == RequestState::Pending).cloned();
    match bench.perform(person, keep(days)).await {
        Ok(_) => {
            assert!(person == OWNER || model.days == Some(days), "passed without approval: {model:?}");
            model.num_writes += usize::from(model.days != Some(days));
            model.days = Some(days);
        }
        Err(Stopped::AlreadyRequested(request)) => assert_eq!(request.id, open.expect("an open one").id),
        Err(Stopped::NeedsApproval { request, .. }) => {
            assert!(person != OWNER && open.is_none() && model.days != Some(days), "{model:?}");
            model.asked = Some(Asked {
                id: request.id.clone(),
                requester: person,
                days,
                before: model.days,
                voters: vec![],
                num_yes: 0,
                is_stale: false,
                expires_us: model.now_us + HOUR_US,
                state: RequestState::Pending,
            });
        }
        Err(other) => panic!("{other:?}"),
    }
}

async fn check(bench: &Bench, model: &Model<'_>) {
    assert_eq!(bench.days().await, model.days, "{model:?}");
    assert_eq!(bench.told("Project").await.len(), model.num_writes, "{model:?}");
    let Some(asked) = &model.asked else { return };
    let stored = bench.stored(&asked.id).await;
    assert_eq!(stored.state, asked.state, "{model:?}");
    let is_stale = matches!(stored.validation, Validation::Stale(_));
    assert_eq!(is_stale, asked.is_stale || asked.state == RequestState::Failed, "{model:?}");
    let votes = bench.meta.change_request_votes(std::slice::from_ref(&stored)).await.unwrap();
    for person in 0..NUM_PEOPLE {
        let viewer = bench.viewer(person);
        let votes = votes.get(&stored.id).map_or(&[][..], Vec::as_slice);
        let may_decide = asked.requester != person || model.plan.allow_self_approve;
        let can_approve = model.plan.approvers.contains(&person) && may_decide;
        assert_eq!(viewer.can_approve(&stored), can_approve, "{model:?}");
        let is_free = asked.num_yes == 0 || asked.is_stale;
        let can_cancel = asked.requester == person && asked.state == RequestState::Pending && is_free;
        assert_eq!(viewer.can_cancel(&stored, votes), can_cancel, "{model:?}");
    }
}

async fn run(bench: Bench, plan: &Plan) {
    let quorum = i64::try_from(plan.quorum).unwrap();
    bench.policy("project.update", quorum, &plan.approvers, plan.allow_self_approve).await;
    let jobs = ApprovalJobs::idle(bench.approvals.clone());
    let mut model = Model { plan, now_us: NOW_US, days: None, asked: None, num_writes: 0 };
    for step in &plan.steps {
        let id = model.asked.as_ref().map(|asked| asked.id.clone());
        match (step, id) {
            (Step::Write { person, days }, _) => write(&bench, &mut model, *person, *days).await,
            (Step::Approve { person }, Some(id)) => {
                assert_eq!(end(bench.approve(*person, &id).await), model.vote(*person, true), "{step:?}");
            }
            (Step::Reject { person }, Some(id)) => {
                assert_eq!(end(bench.reject(*person, &id).await), model.vote(*person, false), "{step:?}");
            }
            (Step::Cancel { person }, Some(id)) => {
                assert_eq!(end(bench.cancel(*person, &id).await), model.cancel(*person), "{step:?}");
            }
            (Step::Wait { minutes }, _) => {
                model.now_us += minutes * 60 * 1_000_000;
                bench.clock.set(model.now_us);
            }
            (Step::Jobs, _) => {
                jobs.run().await.unwrap();
                model.jobs();
            }
            (Step::Approve { .. } | Step::Reject { .. } | Step::Cancel { .. }, None) => {}
        }
        check(&bench, &model).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_people_do_is_what_the_model_says(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(on_every_backend(|meta| async {
            run(Bench::new(meta).await, &plan).await;
        }));
    }
}
