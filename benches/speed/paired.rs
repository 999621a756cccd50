//! Two ways of doing the same, by turns, so that what else changes on the machine changes both.

use crate::Outcome;
use std::time::Duration;

/// Seconds of both, turn by turn.
#[derive(Debug, Default)]
pub(crate) struct Paired {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// A ratio of times: ours over theirs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// The median over all turns.
    pub(crate) median: f64,
    /// Between these the median of many more turns lies with 95 %, or a little more: two of the ratios, of
    /// those in order (the interval of the sign test, which supposes nothing about how they are spread). Fewer
    /// than six turns do not tell that: the least and the most.
    pub(crate) interval: (f64, f64),
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.interval;
        write!(f, "{:.3} ({low:.3} to {high:.3})", self.median)
    }
}

/// Does both so often, after a turn that is not counted. Who begins changes with each turn.
pub(crate) fn by_turns(
    turns: usize,
    mut ours: impl FnMut() -> Outcome<Duration>,
    mut theirs: impl FnMut() -> Outcome<Duration>,
) -> Outcome<Paired> {
    let [paired] = phases_by_turns(turns, || Ok([ours()?]), || Ok([theirs()?]))?;
    Ok(paired)
}

/// The same of what takes its time in phases.
pub(crate) fn phases_by_turns<const N: usize>(
    turns: usize,
    mut ours: impl FnMut() -> Outcome<[Duration; N]>,
    mut theirs: impl FnMut() -> Outcome<[Duration; N]>,
) -> Outcome<[Paired; N]> {
    ours()?;
    theirs()?;
    let mut phases = std::array::from_fn(|_| Paired::default());
    for turn in 0..turns {
        let (a, b) = if turn % 2 == 0 {
            let a = ours()?;
            (a, theirs()?)
        } else {
            let b = theirs()?;
            (ours()?, b)
        };
        for (paired, (a, b)) in phases.iter_mut().zip(a.iter().zip(b)) {
            paired.ours.push(a.as_secs_f64());
            paired.theirs.push(b.as_secs_f64());
        }
    }
    Ok(phases)
}

impl Paired {
    /// Of seconds that were noted turn by turn.
    pub(crate) fn of(ours: Vec<f64>, theirs: Vec<f64>) -> Self {
        Self { ours, theirs }
    }

    pub(crate) fn ratio(&self) -> Ratio {
        let mut ratios: Vec<f64> = self.ours.iter().zip(&self.theirs).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        let outside = outside(ratios.len());
        let at = |place: usize| ratios.get(place).copied().unwrap_or(f64::NAN);
        let interval = (at(outside), at(ratios.len().wrapping_sub(1 + outside)));
        Ratio { median: median(ratios), interval }
    }

    /// The medians of both, in seconds.
    pub(crate) fn medians(&self) -> (f64, f64) {
        (median(self.ours.clone()), median(self.theirs.clone()))
    }

    /// The fastest of both, in seconds: what else the machine does only adds to a time.
    pub(crate) fn fastest(&self) -> (f64, f64) {
        let fastest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
        (fastest(&self.ours), fastest(&self.theirs))
    }

    /// By how much ours is longer in the median, in seconds.
    pub(crate) fn added(&self) -> f64 {
        median(self.ours.iter().zip(&self.theirs).map(|(a, b)| a - b).collect())
    }
}

/// How many of so many ratios in order lie on each side of the interval: as many as leave it 95 % at least. That
/// fewer than k of n lie below the median has the chance of fewer than k heads in n throws of a coin.
fn outside(turns: usize) -> usize {
    let (mut outside, mut chance, mut ways) = (0, 0.0, 0.5_f64.powi(turns as i32));
    for k in 0..turns / 2 {
        chance += ways;
        if chance > 0.025 {
            break;
        }
        outside = k;
        ways *= (turns - k) as f64 / (k + 1) as f64;
    }
    outside
}

/// Of times that were noted in each turn, also in the one that is not counted.
pub(crate) fn median_of_turns(times: &[f64]) -> f64 {
    median(times.iter().skip(1).copied().collect())
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    if values.len().is_multiple_of(2) {
        (at(middle.wrapping_sub(1)) + at(middle)) / 2.0
    } else {
        at(middle)
    }
}
