//! When records happen: a daily curve, quieter at weekends.

/// Relative traffic at the start of each hour of the day, UTC: chosen to have a night, a lunch and an evening.
const HOURLY: [u64; 24] =
    [35, 28, 24, 22, 24, 32, 48, 65, 80, 92, 98, 100, 97, 95, 96, 94, 92, 95, 99, 100, 90, 75, 60, 46];
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
const MIN_SLICE_US: i64 = 300_000_000;
/// Bounds the table whatever the range: 50,000 slices are half a year of five minutes.
const MAX_SLICES: i64 = 50_000;
/// Hours of the night in which batch jobs run.
const NIGHT: std::ops::Range<i64> = 1..5;

/// Spreads a number of rows over a time range along the curve.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    rows: u64,
    end_us: i64,
    slices: Vec<Slice>,
    total: u64,
    current: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    start_us: i64,
    weight: u64,
    /// The sum of weight x microseconds over all earlier slices; 64 bits hold it for every valid range.
    before: u64,
}

impl Traffic {
    pub(crate) fn new(start_us: i64, end_us: i64, rows: u64) -> Self {
        let slice_us = ((end_us - start_us) / MAX_SLICES + 1).max(MIN_SLICE_US);
        let mut slices = Vec::new();
        let mut total = 0;
        let mut slice_start_us = start_us;
        while slice_start_us < end_us {
            let slice_end_us = slice_start_us.saturating_add(slice_us).min(end_us);
            let weight = weight_at(slice_start_us);
            slices.push(Slice { start_us: slice_start_us, weight, before: total });
            total += weight * (slice_end_us - slice_start_us) as u64;
            slice_start_us = slice_end_us;
        }
        Self { rows, end_us, slices, total, current: 0 }
    }

    /// The time of one row; rows must be asked for in order. `jitter` moves it within the row's own share
    /// of the traffic, so times never go backwards.
    pub(crate) fn time_us(&mut self, row: u64, jitter: u32) -> i64 {
        let first = (u128::from(row) * u128::from(self.total) / u128::from(self.rows)) as u64;
        let share = self.total / self.rows;
        let target = first + ((u128::from(share) * u128::from(jitter)) >> 32) as u64;
        while self.slices.get(self.current + 1).is_some_and(|next| next.before <= target) {
            self.current += 1;
        }
        let slice = self.slices[self.current];
        let time_us = slice.start_us + ((target - slice.before) / slice.weight) as i64;
        time_us.min(self.end_us - 1)
    }
}

/// Whether batch jobs run at this time.
pub(crate) fn is_night(time_us: i64) -> bool {
    NIGHT.contains(&(time_us % DAY_US / HOUR_US))
}

/// Traffic at a time, between the hours' values by straight lines.
fn weight_at(time_us: i64) -> u64 {
    let of_day_us = time_us % DAY_US;
    let hour = (of_day_us / HOUR_US) as usize;
    let minute = (of_day_us % HOUR_US / 60_000_000) as u64;
    let weight = (HOURLY[hour] * (60 - minute) + HOURLY[(hour + 1) % 24] * minute) / 60;
    if is_weekend(time_us) { weight * 7 / 10 } else { weight }
}

fn is_weekend(time_us: i64) -> bool {
    // 1970-01-01 was a Thursday.
    let weekday_from_thursday = time_us / DAY_US % 7;
    matches!(weekday_from_thursday, 2 | 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SATURDAY_US: i64 = 2 * DAY_US;

    #[test]
    fn noon_is_busier_than_night_and_saturday_quieter_than_friday() {
        assert!(weight_at(12 * HOUR_US) > 4 * weight_at(3 * HOUR_US));
        assert!(weight_at(SATURDAY_US + 12 * HOUR_US) < weight_at(SATURDAY_US - 12 * HOUR_US));
    }

    #[test]
    fn times_rise_and_stay_inside_a_range_of_any_length() {
        for (start_us, end_us) in [(5, 6), (0, 1_000), (7 * DAY_US + 11, 8 * DAY_US), (0, 9_000 * DAY_US)] {
            let mut traffic = Traffic::new(start_us, end_us, 500);
            assert!(traffic.slices.len() as i64 <= MAX_SLICES);
            let times: Vec<i64> =
                (0..500).map(|row| traffic.time_us(row, (row as u32).wrapping_mul(2_654_435_761))).collect();
            assert!(times.is_sorted());
            assert!(times.iter().all(|time_us| (start_us..end_us).contains(time_us)));
        }
    }

    #[test]
    fn rows_follow_the_curve() {
        let mut traffic = Traffic::new(0, DAY_US, 24_000);
        let mut per_hour = [0_u64; 24];
        for row in 0..24_000 {
            per_hour[(traffic.time_us(row, 0) / HOUR_US) as usize] += 1;
        }
        assert!(per_hour[11] > 4 * per_hour[3], "{per_hour:?}");
    }
}
