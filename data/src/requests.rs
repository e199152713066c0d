//! User requests in flight: what the log records of several services have in common.

use crate::random::Random;

const NUM_IN_FLIGHT: usize = 64;
/// A quarter of the records begins a request, so a trace has about four records.
const NEW_REQUEST_PER_MILLE: u32 = 250;
const NUM_USERS: u32 = 100_000;
const NUM_FREQUENT_USERS: u32 = 1_000;

/// One user's request on its way through the services.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) trace_id: [u8; 16],
    pub(crate) user: u32,
    pub(crate) client: [u8; 4],
    pub(crate) item: u32,
}

impl Request {
    fn begin(random: &mut Random) -> Self {
        let users = if random.chance(300) { NUM_FREQUENT_USERS } else { NUM_USERS };
        let [_, b, c, d] = random.id::<4>();
        Self {
            trace_id: random.id(),
            user: random.below(users),
            // Documentation and private ranges only: no address of a real client.
            client: if b < 200 { [10, b, c, d] } else { [203, 0, 113, d] },
            item: random.below(50_000),
        }
    }

    /// The user's id as text.
    pub(crate) fn user_id(&self) -> String {
        format!("u-{:05}", self.user)
    }

    /// The client's address as text.
    pub(crate) fn client_address(&self) -> String {
        let [a, b, c, d] = self.client;
        format!("{a}.{b}.{c}.{d}")
    }
}

/// The requests that are going on at one time.
#[derive(Clone, Debug)]
pub(crate) struct Requests([Request; NUM_IN_FLIGHT]);

impl Requests {
    pub(crate) fn new(random: &mut Random) -> Self {
        Self(std::array::from_fn(|_| Request::begin(random)))
    }

    /// The request that the next record belongs to.
    pub(crate) fn next(&mut self, random: &mut Random) -> Request {
        let slot = &mut self.0[random.index(NUM_IN_FLIGHT)];
        if random.chance(NEW_REQUEST_PER_MILLE) {
            *slot = Request::begin(random);
        }
        *slot
    }
}
