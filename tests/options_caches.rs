//! Step caches and each of their settings reach the engine: it draws what the C++ program draws, and
//! another picture than without. What the engine makes nothing of is listed too, so that an engine
//! which begins to use it fails here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{compare::Compared, demo_config, family_config, quick_request, unet_request};
use sdcpp::{DbCache, EasyCache, ImageRequest, Spectrum, StepCache, TaylorSeer, UCache};
use sdcpp_test_support::UNetFamily;

fn base() -> ImageRequest {
    quick_request("a red circle").steps(10)
}

fn with(cache: StepCache) -> ImageRequest {
    base().step_cache(cache)
}

fn demo() -> Compared {
    Compared::new(demo_config())
}

#[test]
fn easycache_and_its_settings() {
    let easy = || EasyCache::default().reuse_threshold(5.0);
    let cached = with(StepCache::EasyCache(easy()));
    let mut demo = demo();
    demo.each_changes(&base(), [("easycache", cached.clone())]);
    demo.each_changes(
        &cached,
        [
            ("reuse_threshold", with(StepCache::EasyCache(easy().reuse_threshold(0.0)))),
            ("start", with(StepCache::EasyCache(easy().start(0.6)))),
            ("end", with(StepCache::EasyCache(easy().end(0.5)))),
        ],
    );
}

/// At the pin the engine has only the whole steps' change to decide by: the numbers of blocks scale
/// the threshold. By 0.4 it skips more steps than by the 0.34 of one first block, and fewer than by
/// the 0.56 of 28; eight last blocks make it 0.3.
#[test]
fn dbcache_and_its_settings() {
    let blocks = || DbCache::default().residual_threshold(0.4);
    let cached = with(StepCache::DbCache(blocks()));
    let mut demo = demo();
    demo.each_changes(&base(), [("dbcache", cached.clone())]);
    demo.each_changes(
        &cached,
        [
            ("residual_threshold", with(StepCache::DbCache(blocks().residual_threshold(0.0)))),
            ("first_blocks, fewer", with(StepCache::DbCache(blocks().first_blocks(1)))),
            ("first_blocks, more", with(StepCache::DbCache(blocks().first_blocks(28)))),
            ("last_blocks", with(StepCache::DbCache(blocks().last_blocks(8)))),
        ],
    );
    // The engine at the pin reads these and makes nothing of them.
    let masked = || blocks().steps_mask(vec![true; 10]);
    demo.none_changes(
        &cached,
        [
            ("warmup_steps", with(StepCache::DbCache(blocks().warmup_steps(10)))),
            ("max_cached_steps", with(StepCache::DbCache(blocks().max_cached_steps(0)))),
            (
                "max_continuous_cached_steps",
                with(StepCache::DbCache(blocks().max_continuous_cached_steps(0))),
            ),
            ("steps_mask", with(StepCache::DbCache(masked()))),
            ("dynamic_mask", with(StepCache::DbCache(masked().dynamic_mask(false)))),
        ],
    );
}

/// At the pin the engine gathers the series and never draws by it: the modes skip steps as
/// `DbCache` does, by its default threshold or by the one given.
#[test]
fn taylorseer_skips_steps_and_its_settings_do_nothing() {
    let series = TaylorSeer::default;
    let blocks = || DbCache::default().residual_threshold(0.4);
    let both = |series| StepCache::CacheDit { blocks: blocks(), series };
    let mut demo = demo();
    demo.each_changes(
        &base(),
        [
            ("taylorseer", with(StepCache::TaylorSeer(series()))),
            ("cache-dit", with(both(series()))),
        ],
    );
    demo.each_changes(
        &with(both(series())),
        [(
            "residual_threshold",
            with(StepCache::CacheDit {
                blocks: blocks().residual_threshold(0.2),
                series: series(),
            }),
        )],
    );
    demo.none_changes(
        &with(StepCache::TaylorSeer(series())),
        [
            ("dbcache", with(StepCache::DbCache(DbCache::default()))),
            ("derivatives", with(StepCache::TaylorSeer(series().derivatives(2)))),
            ("skip_interval", with(StepCache::TaylorSeer(series().skip_interval(3)))),
        ],
    );
    demo.none_changes(
        &with(both(series())),
        [
            ("dbcache", with(StepCache::DbCache(blocks()))),
            ("cache-dit derivatives", with(both(series().derivatives(2)))),
            ("cache-dit skip_interval", with(both(series().skip_interval(3)))),
        ],
    );
}

#[test]
fn spectrum_and_its_settings() {
    let spectrum = || Spectrum::default().warmup_steps(2);
    let cached = with(StepCache::Spectrum(spectrum()));
    let mut demo = demo();
    demo.each_changes(&base(), [("spectrum", cached.clone())]);
    demo.each_changes(
        &cached,
        [
            ("weight", with(StepCache::Spectrum(spectrum().weight(1.0)))),
            ("order", with(StepCache::Spectrum(spectrum().order(1)))),
            ("lambda", with(StepCache::Spectrum(spectrum().lambda(0.01)))),
            ("window_size", with(StepCache::Spectrum(spectrum().window_size(4)))),
            ("flex_window", with(StepCache::Spectrum(spectrum().flex_window(3.0)))),
            ("spectrum.warmup_steps", with(StepCache::Spectrum(spectrum().warmup_steps(5)))),
            ("stop", with(StepCache::Spectrum(spectrum().stop(0.5)))),
        ],
    );
}

/// Ten steps and a threshold by which some of them are skipped and some are not.
#[test]
fn ucache_and_its_settings() {
    let base = unet_request().steps(10).cfg_scale(1.0);
    let with = |cache| base.clone().step_cache(StepCache::UCache(cache));
    let cache = || UCache::default().reuse_threshold(0.7);
    let mut sd1 = Compared::new(family_config(UNetFamily::Sd1));
    sd1.each_changes(&base, [("ucache", with(cache()))]);
    sd1.each_changes(
        &with(cache()),
        [
            ("reuse_threshold", with(cache().reuse_threshold(0.2))),
            ("start", with(cache().start(0.7))),
            ("end", with(cache().end(0.4))),
            ("error_decay_rate", with(cache().error_decay_rate(0.1))),
            ("relative", with(cache().relative(false))),
            ("reset_on_compute", with(cache().reset_on_compute(false))),
        ],
    );
    let spectrum = base.clone().step_cache(StepCache::Spectrum(Spectrum::default()));
    sd1.each_changes(&base, [("spectrum of a UNet", spectrum)]);
}
