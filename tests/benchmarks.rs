//! What the benchmarks conclude from the times that they measure.

#[path = "../benches/speed/paired.rs"]
#[allow(dead_code, reason = "it is the benchmarks', and has more than is tested here")]
mod paired;

use paired::{Paired, by_turns};
use std::{cell::RefCell, error::Error, time::Duration};

/// What [`paired`] takes from the crate that it is a module of.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Of ratios 1 to `turns`, in another order.
fn ratio_of(turns: u32) -> (f64, (f64, f64)) {
    let ours = (1..=turns).rev().map(f64::from).collect();
    let ratio = Paired::of(ours, vec![1.0; turns as usize]).ratio();
    (ratio.median, ratio.interval)
}

#[test]
fn fewer_than_six_turns_tell_the_least_and_the_most() {
    assert_eq!(ratio_of(1), (1.0, (1.0, 1.0)));
    assert_eq!(ratio_of(2), (1.5, (1.0, 2.0)));
    assert_eq!(ratio_of(5), (3.0, (1.0, 5.0)));
}

/// The places of the sign test's interval, from its usual tables.
#[test]
fn an_interval_holds_the_median_with_95_percent() {
    for (turns, place) in [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (15, 4), (24, 7), (40, 14)] {
        let (median, interval) = ratio_of(turns);
        assert_eq!(median, f64::from(turns + 1) / 2.0);
        assert_eq!(interval, (f64::from(place), f64::from(turns + 1 - place)), "{turns} turns");
    }
}

#[test]
fn who_begins_changes_with_each_turn_and_the_first_is_not_counted() -> Outcome {
    let order = RefCell::new(String::new());
    let note = |letter: char, seconds: u64| {
        order.borrow_mut().push(letter);
        Ok(Duration::from_secs(seconds))
    };
    let paired = by_turns(3, || note('a', 3), || note('b', 2))?;
    assert_eq!(*order.borrow(), "ababbaab");
    assert_eq!(paired.medians(), (3.0, 2.0));
    assert_eq!(paired.ratio().median, 1.5);
    assert_eq!(paired.added(), 1.0);
    Ok(())
}

#[test]
fn a_run_that_fails_is_told() {
    let failed = by_turns(2, || Ok(Duration::ZERO), || Err("no picture".into()));
    assert_eq!(failed.map_err(|error| error.to_string()).err().as_deref(), Some("no picture"));
}
