//! When frames begin, in the units of file formats.

/// When frame `index` begins, in units of which a second has `units`. Each beginning is rounded by
/// itself, so that rounding does not add up.
pub(super) fn start(index: usize, fps: f64, units: f64) -> u64 {
    // Frames and times are few enough for a float to count them exactly.
    (index as f64 * units / fps).round() as u64
}

/// How long frame `index` is shown.
pub(super) fn duration(index: usize, fps: f64, units: f64) -> u64 {
    start(index + 1, fps, units).saturating_sub(start(index, fps, units))
}

/// The rate as frames over seconds, both of 16 bits: exact for whole rates and those of television
/// (30000/1001), else the nearest simple fraction. `fps` is 0.01 to 1000.
pub(super) fn fraction(fps: f64) -> (u16, u16) {
    // Convergents of the continued fraction.
    let (mut before, mut best) = ((0_u64, 1_u64), (1_u64, 0_u64));
    let mut rest = fps;
    for _ in 0..32 {
        let whole = rest.floor();
        let next = |a: u64, b: u64| (whole as u64).saturating_mul(a).saturating_add(b);
        let found = (next(best.0, before.0), next(best.1, before.1));
        if found.0 > u64::from(u16::MAX) || found.1 > u64::from(u16::MAX) {
            break;
        }
        (before, best) = (best, found);
        let error = (best.0 as f64 / best.1 as f64 - fps).abs();
        if error <= fps * 1e-10 || rest - whole < 1e-9 {
            break;
        }
        rest = 1.0 / (rest - whole);
    }
    match (u16::try_from(best.0), u16::try_from(best.1)) {
        (Ok(frames @ 1..), Ok(seconds @ 1..)) => (frames, seconds),
        // Less than one frame in 65535 seconds, or more a second: not in the allowed range.
        _ => (1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_rates_are_exact() {
        let cases = [
            (16.0, (16, 1)),
            (12.5, (25, 2)),
            (30_000.0 / 1001.0, (30_000, 1001)),
            (24_000.0 / 1001.0, (24_000, 1001)),
            (23.976, (2997, 125)),
            (0.01, (1, 100)),
            (1000.0, (1000, 1)),
            (1.0 / 3.0, (1, 3)),
        ];
        for (fps, wanted) in cases {
            assert_eq!(fraction(fps), wanted, "{fps}");
        }
    }

    #[test]
    fn rounding_does_not_add_up() {
        let delays: Vec<u64> = (0..6).map(|i| duration(i, 16.0, 100.0)).collect();
        assert_eq!(delays, [6, 7, 6, 6, 6, 7]);
        assert_eq!(start(16, 16.0, 100.0), 100);
    }

    proptest! {
        #[test]
        fn any_rate_is_near_its_fraction(fps in 0.01..=1000.0_f64) {
            let (frames, seconds) = fraction(fps);
            let error = (f64::from(frames) / f64::from(seconds) - fps).abs() / fps;
            prop_assert!(error < 1e-3, "{fps} {frames}/{seconds}");
        }

        #[test]
        fn gif_delays_are_what_browsers_keep(fps in 0.01..=50.0_f64, index in 0..100_000_usize) {
            prop_assert!((2..=10_001).contains(&duration(index, fps, 100.0)));
        }
    }
}
