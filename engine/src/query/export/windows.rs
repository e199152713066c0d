//! How an export is cut into windows of time that can be sorted in memory.
//!
//! Rows are taken to be spread evenly over the time of their file or segment. Where they are not, a window holds more
//! than was planned and its sort spills to disk: slower, and as exact.

use super::super::model::Order;
use super::super::time_range::TimeRange;
use crate::catalog::Snapshot;

/// Bytes in memory for each byte of a data file: what compression saves on ordinary logs, with some room.
const BYTES_PER_FILE_BYTE: u64 = 12;
/// The first window has this share of a whole one, so that the first rows come soon and a short export reads little.
const FIRST_SHARE: f64 = 1.0 / 16.0;

/// Rows somewhere in a stretch of time.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Earliest and latest `timestamp`, both included.
    bounds: (i64, i64),
    num_bytes: u64,
}

/// Consecutive windows that hold all rows of the snapshot in `range`, in the order in which they are exported; each of
/// about `window_bytes` in memory.
pub(super) fn plan_windows(
    snapshot: &Snapshot,
    range: TimeRange,
    order: Order,
    window_bytes: u64,
) -> Vec<TimeRange> {
    let files = snapshot.files.iter().map(|file| Stretch {
        bounds: (file.min_timestamp_us, file.max_timestamp_us),
        num_bytes: file.size_bytes.saturating_mul(BYTES_PER_FILE_BYTE),
    });
    let segments = snapshot.segments.iter().map(|segment| Stretch {
        bounds: (segment.min_timestamp_us, segment.max_timestamp_us),
        num_bytes: segment.batch.get_array_memory_size() as u64,
    });
    let stretches: Vec<Stretch> = files.chain(segments).collect();
    cut(&stretches, range, order, window_bytes)
}

/// A place on the way of the export: time, or for the latest first its mirror image, so that it always rises.
/// Wide enough for both ends of time and what lies after them.
type Place = i128;

fn cut(stretches: &[Stretch], range: TimeRange, order: Order, window_bytes: u64) -> Vec<TimeRange> {
    let mut changes: Vec<(Place, f64)> = Vec::with_capacity(stretches.len() * 2);
    for Stretch { bounds: (min, max), num_bytes } in stretches.iter().copied() {
        let density = num_bytes as f64 / (Place::from(max) - Place::from(min) + 1) as f64;
        let (from, to) = (min.max(range.start_us), max.min(range.end_us.saturating_sub(1)));
        if from <= to {
            let (start, end) = places(from, to, order);
            changes.push((start, density));
            changes.push((end, -density));
        }
    }
    changes.sort_by_key(|(place, _)| *place);
    let (Some(&(first, _)), Some(&(last, _))) = (changes.first(), changes.last()) else { return Vec::new() };
    let cuts = cuts(&changes, window_bytes.max(1) as f64);
    let starts = std::iter::once(first).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([last]);
    starts
        .zip(ends)
        .filter(|(start, end)| start < end)
        .map(|(start, end)| window(start, end, order))
        .collect()
}

/// Where one window ends and the next begins.
fn cuts(changes: &[(Place, f64)], window_bytes: f64) -> Vec<Place> {
    let mut cuts = Vec::new();
    let (mut density, mut held, mut room) = (0.0_f64, 0.0_f64, window_bytes * FIRST_SHARE);
    for pair in changes.windows(2) {
        let ((mut place, change), (end, _)) = (pair[0], pair[1]);
        density += change;
        while place < end {
            let rest = (end - place) as f64;
            // Sums of densities that have ended may leave a trace of rounding.
            if density <= 0.0 || held + density * rest < room {
                held += density.max(0.0) * rest;
                break;
            }
            let step = (((room - held) / density).ceil().max(1.0) as Place).min(end - place);
            place += step;
            cuts.push(place);
            held = 0.0;
            room = (room * 2.0).min(window_bytes);
        }
    }
    cuts
}

/// The stretch from `from` to `to`, both included, as places of which the end is excluded.
fn places(from: i64, to: i64, order: Order) -> (Place, Place) {
    match order {
        Order::Earliest => (Place::from(from), Place::from(to) + 1),
        Order::Latest => (-Place::from(to), 1 - Place::from(from)),
    }
}

fn window(start: Place, end: Place, order: Order) -> TimeRange {
    let (start, end) = match order {
        Order::Earliest => (start, end),
        Order::Latest => (1 - end, 1 - start),
    };
    // The last instant there is has none after it: a range cannot hold it, and no row is dated so.
    let instant = |place: Place| i64::try_from(place).unwrap_or(i64::MAX);
    TimeRange { start_us: instant(start), end_us: instant(end) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

    fn stretch(min: i64, max: i64, num_bytes: u64) -> Stretch {
        Stretch { bounds: (min, max), num_bytes }
    }

    #[test]
    fn windows_grow_to_their_size_and_skip_nothing() {
        let windows = cut(&[stretch(0, 9_999, 10_000)], ALL, Order::Earliest, 1_600);
        let lengths: Vec<i64> = windows.iter().map(|window| window.end_us - window.start_us).collect();
        assert_eq!(lengths, [100, 200, 400, 800, 1_600, 1_600, 1_600, 1_600, 1_600, 500]);
        let latest = cut(&[stretch(0, 9_999, 10_000)], ALL, Order::Latest, 1_600);
        assert_eq!(latest[0], TimeRange { start_us: 9_900, end_us: 10_000 });
        assert_eq!(latest.last(), Some(&TimeRange { start_us: 0, end_us: 500 }));
    }

    #[test]
    fn an_instant_is_never_cut_and_emptiness_costs_nothing() {
        let windows =
            cut(&[stretch(5, 5, 1 << 40), stretch(1 << 50, 1 << 50, 8)], ALL, Order::Earliest, 1_000);
        assert_eq!(
            windows,
            [TimeRange { start_us: 5, end_us: 6 }, TimeRange { start_us: 6, end_us: (1 << 50) + 1 }]
        );
        assert_eq!(cut(&[], ALL, Order::Latest, 1), []);
        let nothing = TimeRange { start_us: 9, end_us: 9 };
        assert_eq!(cut(&[stretch(0, 100, 5)], nothing, Order::Latest, 1), []);
    }

    proptest! {
        #[test]
        fn windows_follow_each_other_and_hold_every_row(
            stretches in prop::collection::vec((0_i64..300, 0_i64..200, 0_u64..5_000), 0..12),
            (start, length) in (-50_i64..350, 0_i64..500),
            window_bytes in 1_u64..2_000,
            is_latest: bool,
        ) {
            let stretches: Vec<Stretch> =
                stretches.iter().map(|&(min, length, bytes)| stretch(min, min + length, bytes)).collect();
            let range = TimeRange { start_us: start, end_us: start + length };
            let order = if is_latest { Order::Latest } else { Order::Earliest };
            let mut windows = cut(&stretches, range, order, window_bytes);
            if is_latest {
                windows.reverse();
            }
            for pair in windows.windows(2) {
                prop_assert_eq!(pair[0].end_us, pair[1].start_us);
            }
            prop_assert!(windows.iter().all(|window| !window.is_empty()));
            for stretch in &stretches {
                let (min, max) = (stretch.bounds.0.max(range.start_us), stretch.bounds.1.min(range.end_us - 1));
                for instant in [min, max] {
                    let holders = windows.iter().filter(|w| w.start_us <= instant && instant < w.end_us).count();
                    prop_assert!(min > max || holders == 1, "{instant} in {holders} of {windows:?}");
                }
            }
            prop_assert!(windows.iter().all(|w| range.start_us <= w.start_us && w.end_us <= range.end_us));
        }
    }
}
