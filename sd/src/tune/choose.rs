//! Whether a candidate is faster, by what was measured.

use std::time::Duration;

/// The share of the best's time that a candidate must stay below.
pub const MARGIN: f64 = 0.97;

/// The same picture by the best settings so far and by a candidate, one right after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) best: Duration,
    pub(super) candidate: Duration,
}

impl Turn {
    /// The candidate's time over that of the best.
    fn ratio(self) -> f64 {
        // What takes no time at all is as fast as anything else that does.
        if self.best == self.candidate {
            return 1.0;
        }
        self.candidate.as_secs_f64() / self.best.max(Duration::from_nanos(1)).as_secs_f64()
    }

    fn is_won(self) -> bool {
        self.candidate < self.best
    }
}

/// A candidate against the best settings before it, or all that was chosen against the defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The median time by the settings it was measured against.
    pub best: Duration,
    /// The median time by the candidate.
    pub candidate: Duration,
    /// The median over the turns of the candidate's time over the other's; below 1 it is faster.
    pub ratio: f64,
    /// Turns in which both drew.
    pub turns: u32,
    /// Turns in which the candidate was the faster one.
    pub wins: u32,
}

impl Measured {
    /// What some turns say, of which there is one at least.
    pub(super) fn of(turns: &[Turn]) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            best: median_time(turns.iter().map(|turn| turn.best)),
            candidate: median_time(turns.iter().map(|turn| turn.candidate)),
            ratio: median(turns.iter().map(|turn| turn.ratio())),
            turns: count(turns.len()),
            wins: count(wins(turns)),
        }
    }

    /// Whether it is faster by more than noise, after all turns that were planned: by the
    /// [`MARGIN`], and in three quarters of the turns.
    pub(super) fn is_faster(&self, planned: u32) -> bool {
        self.turns == planned && self.wins >= needed(planned) && self.ratio < MARGIN
    }

    /// Whether it is slower at all.
    pub(super) fn is_slower(&self) -> bool {
        self.ratio > 1.0
    }
}

/// The turns of `planned` that a candidate must win.
fn needed(planned: u32) -> u32 {
    planned.saturating_mul(3).div_ceil(4)
}

/// Whether the turns that are left cannot make up for those that were lost.
pub(super) fn is_lost(turns: &[Turn], planned: u32) -> bool {
    let lost = turns.len() - wins(turns);
    lost > planned.saturating_sub(needed(planned)) as usize
}

fn wins(turns: &[Turn]) -> usize {
    turns.iter().filter(|turn| turn.is_won()).count()
}

/// The middle one, or the mean of the two in the middle; 1 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(1.0);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { at(half) } else { (at(half.saturating_sub(1)) + at(half)) / 2.0 }
}

/// The middle one, or the mean of the two in the middle; zero of none.
pub(super) fn median_time(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    let half = times.len() / 2;
    let (low, high) =
        (at(if times.len() % 2 == 1 { half } else { half.saturating_sub(1) }), at(half));
    low.saturating_add(high.saturating_sub(low) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn turn(best: u64, candidate: u64) -> Turn {
        Turn { best: Duration::from_micros(best), candidate: Duration::from_micros(candidate) }
    }

    fn faster(turns: &[Turn]) -> bool {
        Measured::of(turns).is_faster(turns.len() as u32)
    }

    #[test]
    fn a_clear_gain_in_most_turns_is_chosen() {
        assert!(faster(&[turn(100, 80), turn(110, 85), turn(90, 95), turn(100, 82), turn(99, 81)]));
        // By less than the margin.
        assert!(!faster(&[turn(100, 98); 5]));
        // By far, but only in three of five.
        assert!(!faster(&[
            turn(100, 50),
            turn(100, 50),
            turn(100, 50),
            turn(100, 120),
            turn(100, 120)
        ]));
        // The same.
        assert!(!faster(&[turn(100, 100); 5]));
        assert!(!faster(&[turn(0, 0); 5]));
    }

    #[test]
    fn what_was_not_measured_to_the_end_is_not_chosen() {
        let measured = Measured::of(&[turn(100, 50); 4]);
        assert!(measured.is_faster(4) && !measured.is_faster(5));
    }

    #[test]
    fn medians_are_of_the_turns() {
        let measured =
            Measured::of(&[turn(100, 50), turn(300, 600), turn(200, 100), turn(200, 90)]);
        assert_eq!(measured.best, Duration::from_micros(200));
        assert_eq!(measured.candidate, Duration::from_micros(95));
        assert_eq!((measured.turns, measured.wins), (4, 3));
        assert_eq!(measured.ratio, 0.5);
        assert!(!measured.is_slower() && !Measured::of(&[turn(100, 100)]).is_slower());
        assert!(Measured::of(&[turn(100, 101)]).is_slower());
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        vec((0_u64..10_000_000, 0_u64..10_000_000).prop_map(|(b, c)| turn(b, c)), 1..12)
    }

    proptest! {
        #[test]
        fn what_is_chosen_is_faster(turns in turns()) {
            let measured = Measured::of(&turns);
            prop_assert!(measured.ratio.is_finite() || turns.iter().any(|t| t.best.is_zero()));
            if faster(&turns) {
                prop_assert!(measured.ratio < MARGIN);
                prop_assert!(4 * wins(&turns) >= 3 * turns.len());
                // The other way round it is not.
                let swapped: Vec<_> =
                    turns.iter().map(|t| Turn { best: t.candidate, candidate: t.best }).collect();
                prop_assert!(!faster(&swapped));
            }
        }

        #[test]
        fn noise_below_the_margin_chooses_nothing(noise in vec((9_850_u64..10_150, 9_850_u64..10_150), 3..12)) {
            let turns: Vec<_> = noise.into_iter().map(|(b, c)| turn(b, c)).collect();
            prop_assert!(Measured::of(&turns).ratio >= MARGIN);
            prop_assert!(!faster(&turns));
        }

        #[test]
        fn a_gain_beyond_the_noise_is_chosen(noise in vec((95_000_u64..105_000, 70_000_u64..90_000), 1..12)) {
            let turns: Vec<_> = noise.into_iter().map(|(b, c)| turn(b, c)).collect();
            prop_assert!(faster(&turns));
        }

        #[test]
        fn neither_order_nor_unit_of_the_turns_counts(turns in turns(), factor in 2_u32..1000) {
            let backwards: Vec<_> = turns.iter().rev().copied().collect();
            prop_assert_eq!(Measured::of(&backwards), Measured::of(&turns));
            let longer: Vec<_> = turns
                .iter()
                .filter(|t| !t.best.is_zero())
                .map(|t| Turn { best: t.best * factor, candidate: t.candidate * factor })
                .collect();
            let same: Vec<_> = turns.iter().filter(|t| !t.best.is_zero()).copied().collect();
            if !same.is_empty() {
                let (a, b) = (Measured::of(&longer), Measured::of(&same));
                prop_assert!((a.ratio - b.ratio).abs() <= 1e-9 * b.ratio);
                prop_assert_eq!(a.wins, b.wins);
            }
        }

        #[test]
        fn what_is_lost_cannot_be_won_any_more(done in turns(), more in 0_u32..6) {
            let planned = done.len() as u32 + more;
            // The best that can come.
            let mut all = done.clone();
            all.extend(vec![turn(1_000_000, 1); more as usize]);
            let can_win = wins(&all) as u32 >= needed(planned);
            prop_assert_eq!(is_lost(&done, planned), !can_win);
        }
    }
}
