//! The search on a machine whose times are made up, and on the mock engine.

use super::{models::*, run::Search, *};
use crate::{
    CancelToken, EngineReport, Error, Generated, GeneratedVideo, ImageRequest, Model, Progress,
    Stage, Timings, VideoRequest, Watch, mock,
};
use proptest::prelude::*;
use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

const ALL: [Candidate; 5] = [
    Candidate::Threads(4),
    Candidate::Threads(1),
    Candidate::DiffusionFlashAttention,
    Candidate::DiffusionConvDirect,
    Candidate::VaeConvDirect,
];

type Speed = Box<dyn Fn(&ModelConfig) -> Result<Timings> + Send + Sync>;

/// A machine that takes the times of a function.
struct Machine {
    speed: Speed,
    /// Models there is memory for.
    room: usize,
    open: AtomicUsize,
    opened: AtomicUsize,
    drawn: Mutex<Vec<ModelConfig>>,
}

struct Fake {
    machine: Arc<Machine>,
    config: ModelConfig,
    pictures: u32,
}

impl Machine {
    fn new(speed: impl Fn(&ModelConfig) -> Result<Timings> + Send + Sync + 'static) -> Self {
        Self {
            speed: Box::new(speed),
            room: 2,
            open: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            drawn: Mutex::default(),
        }
    }

    fn tune(self) -> Result<TuneReport> {
        tune(&Arc::new(self), Watch::new(), |_| {})
    }
}

fn tune(
    machine: &Arc<Machine>,
    watch: Watch<'_>,
    told: impl FnMut(TuneProgress<'_>),
) -> Result<TuneReport> {
    let base = ModelConfig::new("m");
    let search = Search {
        base: &base,
        request: &ImageRequest::new("x"),
        turns: 5,
        models: Models::new(|config: &ModelConfig, _: Watch<'_>, _: bool| {
            machine.open.fetch_add(1, Relaxed);
            machine.opened.fetch_add(1, Relaxed);
            let machine = Arc::clone(machine);
            Ok(Fake { machine, config: config.clone(), pictures: 0 })
        }),
        session: Session::new(watch, Duration::from_secs(3600)),
        told,
        default_times: Vec::new(),
    };
    search.run(Subject::default(), &ALL)
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.machine.open.fetch_sub(1, Relaxed);
    }
}

impl Model for Fake {
    fn generate_with(&mut self, _: &ImageRequest, mut watch: Watch<'_>) -> Result<Generated> {
        let step = Progress::Encoding { tile: 0, tiles: 0 };
        let stopped = watch.tell(step).is_break()
            || watch.cancel.as_ref().is_some_and(CancelToken::is_cancelled);
        if stopped {
            return Err(Error::Cancelled { stage: Stage::Sampling });
        }
        if let Some(limit) = watch.time_limit.filter(|limit| limit.is_zero()) {
            return Err(Error::DeadlineExceeded { stage: Stage::Sampling, limit });
        }
        if self.machine.open.load(Relaxed) > self.machine.room {
            return Err(out_of_memory());
        }
        let mut timings = (self.machine.speed)(&self.config)?;
        self.pictures += 1;
        if self.pictures == 1 {
            // Nobody may count the first one.
            let slow = Duration::from_secs(1000);
            (timings.total, timings.sampling, timings.decoding) = (slow, slow, slow);
        } else {
            self.machine.drawn.lock().unwrap().push(self.config.clone());
        }
        Ok(Generated {
            images: Vec::new(),
            seeds: Vec::new(),
            width: 1,
            height: 1,
            timings,
            warnings: Vec::new(),
        })
    }

    fn generate_video_with(&mut self, _: &VideoRequest, _: Watch<'_>) -> Result<GeneratedVideo> {
        unreachable!("tuning draws pictures")
    }

    fn is_usable(&self) -> bool {
        true
    }
}

fn out_of_memory() -> Error {
    let report = Box::<EngineReport>::default();
    Error::OutOfMemory { stage: Stage::Sampling, device: None, requested: None, report }
}

/// Times whose factors are those of the settings.
fn times(threads: f64, sampling: f64, decoding: f64) -> Timings {
    let (sampling, decoding) = (0.8 * threads * sampling, 0.2 * threads * decoding);
    let load = Duration::from_secs(5);
    Timings {
        load,
        sampling: Duration::from_secs_f64(sampling),
        decoding: Duration::from_secs_f64(decoding),
        total: load + Duration::from_secs_f64(sampling + decoding),
        ..Timings::default()
    }
}

/// The defaults are two threads, no flash attention, no direct convolutions.
fn by_factors(
    config: &ModelConfig,
    threads: impl Fn(u32) -> f64,
    [flash, diffusion, vae]: [f64; 3],
) -> Timings {
    let if_set = |set: bool, factor: f64| if set { factor } else { 1.0 };
    times(
        threads(config.threads.unwrap_or(2)),
        if_set(config.diffusion_flash_attention, flash)
            * if_set(config.diffusion_conv_direct == Some(true), diffusion),
        if_set(config.vae_conv_direct == Some(true), vae),
    )
}

fn twice_by_four(threads: u32) -> f64 {
    2.0 / f64::from(threads)
}

#[test]
fn what_is_faster_is_chosen_one_after_the_other() {
    let machine = Machine::new(|c| Ok(by_factors(c, twice_by_four, [1.2, 0.99, 0.5])));
    let machine = Arc::new(machine);
    let mut told = Vec::new();
    let report =
        tune(&machine, Watch::new(), |progress| told.push(format!("{progress:?}"))).unwrap();
    let expected =
        TunedSettings { threads: Some(4), vae_conv_direct: true, ..TunedSettings::default() };
    assert_eq!(report.settings, expected);
    assert_eq!(report.settings.to_string(), "threads 4, vae_conv_direct on");
    let ratios: Vec<_> = report
        .tried
        .iter()
        .map(|tried| match &tried.outcome {
            Outcome::Chosen(m) => (true, m.ratio, m.turns),
            Outcome::NotFaster(m) => (false, m.ratio, m.turns),
            other => panic!("{other:?}"),
        })
        .map(|(chosen, ratio, turns)| (chosen, (ratio * 100.0).round() as u32, turns))
        .collect();
    // One thread takes four times as long as four, and the second turn shows that it has lost.
    let expected = [(true, 50, 5), (false, 400, 2), (false, 120, 2), (false, 99, 5), (true, 50, 5)];
    assert_eq!(ratios, expected);
    assert_eq!(report.default_time, Duration::from_secs(1));
    let together = report.together.unwrap();
    assert_eq!((together.best, together.turns), (Duration::from_secs(1), 5));
    assert_eq!(together.candidate, Duration::from_millis(450));
    let entry = report.entry();
    assert_eq!((entry.default_micros, entry.tuned_micros), (1_000_000, Some(450_000)));
    assert_eq!(report.pictures as usize, machine.drawn.lock().unwrap().len());
    assert_eq!(machine.open.load(Relaxed), 0);
    assert_eq!(told.len(), 1 + 2 * ALL.len() + 1);
    assert!(told[1].starts_with("Trying { candidate: Threads(4), number: 1, of: 5"), "{}", told[1]);
}

#[test]
fn best_and_candidate_draw_by_turns() {
    let machine = Arc::new(Machine::new(|c| Ok(by_factors(c, twice_by_four, [1.0; 3]))));
    tune(&machine, Watch::new(), |_| {}).unwrap();
    let drawn = machine.drawn.lock().unwrap();
    let threads: Vec<_> = drawn.iter().take(11).map(|config| config.threads).collect();
    let (a, b) = (None, Some(4));
    assert_eq!(threads, [a, a, b, b, a, a, b, b, a, a, b]);
}

#[test]
fn where_two_models_do_not_fit_one_is_closed_for_the_other() {
    let machine = |room| {
        let machine = Machine::new(|c| Ok(by_factors(c, twice_by_four, [0.8, 0.99, 0.5])));
        Arc::new(Machine { room, ..machine })
    };
    let (one, two) = (machine(1), machine(2));
    let run = |machine| tune(machine, Watch::new(), |_| {}).unwrap();
    let (of_one, of_two) = (run(&one), run(&two));
    assert_eq!(of_one.settings, of_two.settings);
    assert_eq!(of_one.settings.threads, Some(4));
    assert!(of_one.tried.iter().all(|tried| !matches!(tried.outcome, Outcome::Failed(_))));
    assert!(one.opened.load(Relaxed) > two.opened.load(Relaxed));
    // The default, five candidates, and the default once more against all that was chosen.
    assert_eq!(two.opened.load(Relaxed), 7);
}

#[test]
fn a_candidate_that_fails_is_told_and_not_chosen() {
    let machine = Machine::new(|config| {
        if config.threads == Some(4) {
            return Err(out_of_memory());
        }
        if config.diffusion_flash_attention {
            let (what, reason) = ("flash attention".to_owned(), "this card has none".to_owned());
            return Err(Error::Unsupported { what, reason });
        }
        Ok(by_factors(config, |_| 1.0, [1.0, 0.5, 1.0]))
    });
    let report = machine.tune().unwrap();
    let failed: Vec<_> = report
        .tried
        .iter()
        .filter_map(|tried| match &tried.outcome {
            Outcome::Failed(error) => Some((tried.candidate.field(), error.kind())),
            _ => None,
        })
        .collect();
    let expected = [("threads", "out_of_memory"), ("diffusion_flash_attention", "unsupported")];
    assert_eq!(failed, expected);
    assert_eq!(report.settings.to_string(), "diffusion_conv_direct on");
}

#[test]
fn defaults_that_fail_or_stop_working_are_an_error() {
    let never = Machine::new(|_| Err(out_of_memory()));
    assert!(never.tune().unwrap_err().is_out_of_memory());
    let count = AtomicUsize::new(0);
    let later = Machine::new(move |config| {
        if config.threads.is_none() && count.fetch_add(1, Relaxed) > 3 {
            return Err(Error::Sampling { report: Box::default() });
        }
        Ok(by_factors(config, |_| 1.0, [1.0; 3]))
    });
    assert!(matches!(later.tune().unwrap_err(), Error::Sampling { .. }));
}

#[test]
fn where_nothing_is_faster_the_defaults_stay() {
    let report = Machine::new(|c| Ok(by_factors(c, |_| 1.0, [1.0, 0.98, 1.5]))).tune().unwrap();
    assert!(report.settings.is_default() && report.together.is_none());
    let entry = report.entry();
    assert_eq!((entry.default_micros, entry.tuned_micros), (1_000_000, None));
    assert_eq!(entry.settings.to_string(), "the defaults");
}

#[test]
fn what_makes_the_whole_slower_is_given_up() {
    let machine = Machine::new(|config| {
        let mut timings = by_factors(config, |_| 1.0, [0.5, 1.0, 1.0]);
        if config.diffusion_flash_attention {
            timings.text_encoding = Duration::from_secs(1);
            timings.total += timings.text_encoding;
        }
        Ok(timings)
    });
    let report = machine.tune().unwrap();
    assert!(matches!(report.tried[2].outcome, Outcome::Chosen(_)));
    assert!(report.together.unwrap().ratio > 1.5);
    assert!(report.settings.is_default());
    assert_eq!(report.entry().tuned_micros, None);
}

#[test]
fn a_whole_that_is_slower_by_little_is_given_up_too() {
    let machine = Machine::new(|config| {
        let mut timings = by_factors(config, |_| 1.0, [0.5, 1.0, 1.0]);
        if config.diffusion_flash_attention {
            // What sampling gains, and a little more.
            timings.total += Duration::from_millis(410);
        }
        Ok(timings)
    });
    let report = machine.tune().unwrap();
    let ratio = report.together.unwrap().ratio;
    assert!(ratio > 1.0 && ratio < 1.0 / MARGIN, "{ratio}");
    assert!(report.settings.is_default());
}

#[test]
fn what_was_chosen_stays_where_it_cannot_be_drawn_together() {
    let run = |error: fn() -> Error| {
        let begun = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&begun);
        let machine = Machine::new(move |config| match broken.load(Relaxed) {
            true => Err(error()),
            false => Ok(by_factors(config, twice_by_four, [0.5, 1.0, 1.0])),
        });
        tune(&Arc::new(machine), Watch::new(), |progress| {
            begun.fetch_or(matches!(progress, TuneProgress::Together(_)), Relaxed);
        })
    };
    let report = run(out_of_memory).unwrap();
    assert_eq!(report.settings.to_string(), "threads 4, diffusion_flash_attention on");
    assert_eq!((report.together, report.entry().tuned_micros), (None, None));
    let stopped = run(|| Error::Cancelled { stage: Stage::Sampling });
    assert!(matches!(stopped.unwrap_err(), Error::Cancelled { .. }));
}

#[test]
fn when_time_is_up_what_was_chosen_stays_chosen() {
    let count = AtomicUsize::new(0);
    let machine = Machine::new(move |config| {
        // Enough for the defaults and the first candidate.
        if count.fetch_add(1, Relaxed) > 13 {
            let limit = Duration::from_secs(1);
            return Err(Error::DeadlineExceeded { stage: Stage::Sampling, limit });
        }
        Ok(by_factors(config, twice_by_four, [0.5; 3]))
    });
    let report = machine.tune().unwrap();
    assert_eq!(report.settings.to_string(), "threads 4");
    let no_time = |tried: &Tried| matches!(tried.outcome, Outcome::NoTime);
    assert_eq!(report.tried.iter().filter(|tried| no_time(tried)).count(), 4);
    assert!(report.together.is_none());
    assert_eq!(report.entry().tuned_micros, None);
}

#[test]
fn it_is_stopped_by_token_callback_and_limit() {
    let machine = || Arc::new(Machine::new(|c| Ok(by_factors(c, |_| 1.0, [1.0; 3]))));
    let token = CancelToken::new();
    let watch = Watch::new().cancel_with(token.clone());
    let cancelled = tune(&machine(), watch, |progress| {
        if matches!(progress, TuneProgress::Tried(_)) {
            token.cancel();
        }
    });
    assert!(matches!(cancelled.unwrap_err(), Error::Cancelled { .. }));
    let mut pictures = 0;
    let watch = Watch::new().on_progress(|_| {
        pictures += 1;
        if pictures < 7 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert!(matches!(tune(&machine(), watch, |_| {}).unwrap_err(), Error::Cancelled { .. }));
    assert_eq!(pictures, 7);
    let limit = Duration::ZERO;
    let passed = tune(&machine(), Watch::new().time_limit(limit), |_| {}).unwrap_err();
    assert!(matches!(passed, Error::DeadlineExceeded { limit: told, .. } if told == limit));
}

proptest! {
    /// Without noise the search finds the best of each setting, but for what is within the margin.
    #[test]
    fn the_fastest_is_found(
        four in 0.2_f64..2.0,
        one in 0.2_f64..2.0,
        factors in [0.3_f64..1.6, 0.3_f64..1.6, 0.3_f64..1.6],
    ) {
        let threads = move |count| match count { 4 => four, 1 => one, _ => 1.0 };
        let clear = |ratio: f64| (ratio - MARGIN).abs() > 0.001;
        let best_of_four = if four < MARGIN { four } else { 1.0 };
        prop_assume!(clear(four) && clear(one / best_of_four));
        prop_assume!(factors.iter().all(|factor| clear(*factor)));
        let report = Machine::new(move |c| Ok(by_factors(c, threads, factors))).tune().unwrap();
        let expected_threads = match (four < MARGIN, one / best_of_four < MARGIN) {
            (_, true) => Some(1),
            (true, false) => Some(4),
            (false, false) => None,
        };
        let [flash, diffusion, vae] = factors.map(|factor| factor < MARGIN);
        let expected = TunedSettings {
            threads: expected_threads,
            diffusion_flash_attention: flash,
            diffusion_conv_direct: diffusion,
            vae_conv_direct: vae,
        };
        prop_assert_eq!(report.settings, expected);
    }
}

#[test]
fn the_mock_engine_is_tuned_and_its_file_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.json");
    let (engine, config) = (mock::engine(), ModelConfig::new("any"));
    let request = ImageRequest::new("x").size(64, 64).steps(2);
    let tune = Tune::new(config.clone()).request(request).turns(3);
    let report = tune.run_with(&engine, Watch::new(), |_| {}).unwrap();
    assert_eq!(report.tried.len(), tune.candidates(&engine).unwrap().len());
    assert!(report.pictures > 2 * report.tried.len() as u32);
    report.save_to(&path).unwrap();
    let file = TunedFile::open(&path).unwrap();
    assert_eq!(file.entries(), [report.entry()]);

    let mut expected = config.clone();
    report.settings.apply_to_config(&mut expected);
    let tuned = file.apply(&engine, config.clone(), (64, 64)).unwrap();
    assert_eq!((tuned.config, tuned.found.entry()), (expected, Some(&report.entry())));
    // Another size, and another machine.
    let other = file.apply(&engine, config.clone(), (128, 128)).unwrap();
    assert_eq!(other.config, config);
    assert!(other.found.to_string().contains("tuned.json differs in side;"), "{}", other.found);
    let mut entry = report.entry();
    (entry.subject.processor, entry.subject.cores) = ("another".to_owned(), 99);
    let mut elsewhere = TunedFile::open_or_new(folder.path().join("elsewhere.json")).unwrap();
    let empty = elsewhere.apply(&engine, config.clone(), (64, 64)).unwrap();
    assert!(matches!(&empty.found, Match::NoFile { path } if path.ends_with("elsewhere.json")));
    elsewhere.save().unwrap();
    let empty = elsewhere.apply(&engine, config.clone(), (64, 64)).unwrap();
    assert!(empty.found.to_string().contains("elsewhere.json has no entry;"));
    elsewhere.put(entry);
    let elsewhere = elsewhere.apply(&engine, config.clone(), (64, 64)).unwrap();
    assert_eq!(elsewhere.config, config);
    assert!(elsewhere.found.to_string().contains("differs in processor, cores;"));
}

#[test]
fn a_plan_refuses_what_the_measurement_does() {
    let engine = mock::engine();
    let request = || ImageRequest::new("x").size(64, 64).steps(2);
    let tune = || Tune::new(ModelConfig::new("any")).request(request()).turns(3);
    let plan = |tune: &Tune| tune.plan(&engine, Watch::new());
    assert_eq!(plan(&tune()).unwrap(), tune().candidates(&engine).unwrap());
    let reference = request().reference_image(image::RgbImage::new(64, 64));
    for (wrong, part) in [
        (tune().turns(2), "turns is 2"),
        (tune().budget(Duration::ZERO), "budget is 0ns; allowed: more than 0"),
        (tune().request(request().size(0, 64)), "width is 0"),
        // What only the open model can tell.
        (tune().request(reference), "reference images with"),
    ] {
        let planned = plan(&wrong).unwrap_err().to_string();
        let run = wrong.run_with(&engine, Watch::new(), |_| {}).unwrap_err().to_string();
        assert_eq!(planned, run);
        assert!(planned.contains(part), "{planned}");
    }
}

#[test]
fn what_was_not_tried_stays_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuned.json");
    let machine = || Machine::new(|c| Ok(by_factors(c, twice_by_four, [0.5, 1.0, 0.5])));
    let report = machine().tune().unwrap();
    let of = |threads, vae_conv_direct| TunedSettings {
        threads,
        diffusion_flash_attention: true,
        diffusion_conv_direct: false,
        vae_conv_direct,
    };
    assert_eq!(report.settings, of(Some(4), true));
    let saved = |report: &TuneReport, earlier: TunedSettings| {
        let mut file = TunedFile::open_or_new(&path).unwrap();
        file.put(TunedEntry { settings: earlier, tuned_micros: Some(1), ..TunedEntry::default() });
        file.save().unwrap();
        report.save_to(&path).unwrap();
        let file = TunedFile::open(&path).unwrap();
        assert_eq!(file.entries().len(), 1);
        file.entries()[0].clone()
    };
    // All was tried: nothing stays, and what is slower is gone.
    let earlier = TunedSettings { diffusion_conv_direct: true, ..of(Some(1), false) };
    assert_eq!(saved(&report, earlier), report.entry());
    // Threads were set, and there was no time for the VAE.
    let mut part = machine().tune().unwrap();
    part.tried.retain(|tried| tried.candidate.field() != "threads");
    part.tried.last_mut().unwrap().outcome = Outcome::NoTime;
    part.settings = of(None, false);
    let kept = saved(&part, of(Some(3), true));
    assert_eq!((kept.settings, kept.tuned_micros), (of(Some(3), true), None));
    assert_eq!(kept.default_micros, part.entry().default_micros);
    // There was nothing to keep.
    assert_eq!(saved(&part, of(None, false)), part.entry());
}

#[test]
fn what_the_caller_sets_stays() {
    let settings = TunedSettings {
        threads: Some(4),
        diffusion_flash_attention: true,
        diffusion_conv_direct: true,
        vae_conv_direct: true,
    };
    let mut open = ModelConfig::new("m");
    settings.apply_to_config(&mut open);
    let expected = ModelConfig::new("m")
        .threads(4)
        .diffusion_flash_attention(true)
        .diffusion_conv_direct(true)
        .vae_conv_direct(true);
    assert_eq!(open, expected);
    let set = ModelConfig::new("m")
        .threads(1)
        .diffusion_flash_attention(true)
        .diffusion_conv_direct(false)
        .vae_conv_direct(false);
    let mut after = set.clone();
    settings.apply_to_config(&mut after);
    assert_eq!(after, set);
}

#[test]
fn a_setting_out_of_range_in_a_file_is_told_with_the_file() {
    let (engine, config) = (mock::engine(), ModelConfig::new("any"));
    let subject = Subject::of(&engine, &config, (64, 64)).unwrap();
    let settings = TunedSettings { threads: Some(0), ..TunedSettings::default() };
    let mut file = TunedFile::open_or_new("no/such/tuned.json").unwrap();
    file.put(TunedEntry { subject, settings, ..TunedEntry::default() });
    let error = file.apply(&engine, config, (64, 64)).unwrap_err().to_string();
    assert!(error.starts_with("threads is 0, in no/such/tuned.json; allowed: 1..="), "{error}");
}

#[test]
fn what_cannot_be_tuned_is_refused_before_anything_is_drawn() {
    let engine = mock::engine();
    // What would be tried is refused likewise.
    let run = |tune: Tune| {
        let refused = tune.run_with(&engine, Watch::new(), |_| {}).unwrap_err().to_string();
        assert_eq!(tune.candidates(&engine).unwrap_err().to_string(), refused);
        refused
    };
    let config = || ModelConfig::new("any");
    assert!(run(Tune::new(config()).turns(2)).starts_with("turns is 2; allowed: 3..=99"));
    let set = config().threads(1).flash_attention(true);
    assert!(run(Tune::new(set)).starts_with("config is set in all that is tuned"));
    assert!(run(Tune::new(config()).budget(Duration::ZERO)).starts_with("budget is 0ns; allowed"));
    let spent = Tune::new(config()).budget(Duration::from_nanos(1));
    let error = spent.run_with(&engine, Watch::new(), |_| {}).unwrap_err();
    assert!(matches!(error, Error::DeadlineExceeded { .. }), "{error:?}");
    let failing = ImageRequest::new("x").extra_sample_args(mock::fault("sampling"));
    let error = Tune::new(config()).request(failing).run_with(&engine, Watch::new(), |_| {});
    assert!(matches!(error.unwrap_err(), Error::Sampling { .. }));
    // No engine draws on a device that is none.
    let nowhere = Tune::new(config().backend("cuda0"));
    assert!(matches!(
        nowhere.run_with(&engine, Watch::new(), |_| {}).unwrap_err(),
        Error::ModelLoad { .. }
    ));
}
