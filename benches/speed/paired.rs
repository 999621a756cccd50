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
    /// Between these the median lies with 95 %, by the bootstrap; of fewer than six turns, which do not tell
    /// that, the least and the most.
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
    pub(crate) fn ratio(&self) -> Ratio {
        let mut ratios: Vec<f64> = self.ours.iter().zip(&self.theirs).map(|(a, b)| a / b).collect();
        ratios.sort_by(f64::total_cmp);
        if ratios.len() < 6 {
            let end = |ratio: Option<&f64>| ratio.copied().unwrap_or(f64::NAN);
            let interval = (end(ratios.first()), end(ratios.last()));
            return Ratio { median: median(ratios), interval };
        }
        // The same at each run.
        let mut random = fastrand::Rng::with_seed(42);
        let mut medians: Vec<f64> = (0..2000)
            .map(|_| {
                let drawn = ratios.iter().filter_map(|_| random.choice(&ratios).copied());
                median(drawn.collect())
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (part * (medians.len().saturating_sub(1)) as f64) as usize;
            medians.get(place).copied().unwrap_or(f64::NAN)
        };
        Ratio { median: median(ratios), interval: (at(0.025), at(0.975)) }
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
