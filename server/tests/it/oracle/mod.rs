//! The endpoints against an oracle: a row-at-a-time evaluator written from the API reference, which shares
//! no code with the product's parser, translator or mapping.
//!
//! [`sent`] is what a sender has, [`row`] what it must become, [`answers`], [`grouped`] and [`facets`] what the endpoints
//! must say about it. [`strategies`], [`requests`], [`grouped_requests`] and [`facet_requests`] draw random data and requests, and [`differential`] holds the server
//! to the answers. [`vectors`] are the published examples and rules, one test each.

mod answers;
mod dates;
mod differential;
mod drops;
mod facet_requests;
mod facets;
mod filter;
mod fold;
mod grouped;
mod grouped_requests;
mod harness;
mod leaf;
mod leaves;
mod reply;
mod requests;
mod row;
mod semver;
pub(crate) mod sent;
mod strategies;
mod vectors;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Standard base64 with padding.
fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
