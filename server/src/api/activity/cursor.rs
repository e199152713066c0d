//! Places in a list, as links carry them: opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::query::{ActivityCursor, ActivityOrder};
use uuid::Uuid;

/// A place in a list, and which way it is read from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) cursor: ActivityCursor,
    /// Whether the part before the place is wanted, and not the one behind it.
    pub(super) is_backwards: bool,
}

impl Place {
    pub(super) fn encode(self) -> String {
        let Self { cursor: ActivityCursor { timestamp_us, id }, is_backwards } = self;
        let direction = if is_backwards { 'b' } else { 'f' };
        URL_SAFE_NO_PAD.encode(format!("{direction}{timestamp_us}:{}", id.simple()))
    }

    /// Reads what [`encode`](Self::encode) writes.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()?;
        let is_backwards = match text.chars().next()? {
            'b' => true,
            'f' => false,
            _ => return None,
        };
        let (timestamp, id) = text.get(1..)?.split_once(':')?;
        let cursor = ActivityCursor { timestamp_us: timestamp.parse().ok()?, id: Uuid::parse_str(id).ok()? };
        Some(Self { cursor, is_backwards })
    }
}

/// The other way round.
pub(super) fn reversed(order: ActivityOrder) -> ActivityOrder {
    match order {
        ActivityOrder::Latest => ActivityOrder::Earliest,
        ActivityOrder::Earliest => ActivityOrder::Latest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for is_backwards in [true, false] {
            let cursor = ActivityCursor { timestamp_us: -5, id: Uuid::from_u128(7) };
            let place = Place { cursor, is_backwards };
            assert_eq!(Place::decode(&place.encode()), Some(place));
        }
        for text in ["", "x", "Zm9v", "ZjE6eA", "Y\u{fc}"] {
            assert_eq!(Place::decode(text), None, "{text}");
        }
    }
}
