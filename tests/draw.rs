//! Drawing with the demo model, as a user does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, demo_request, quick_request};
use sdcpp::{Context, Engine, ModelConfig, Picture, Progress, Watch, image};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Mean colour of the middle of a picture, and of its corners.
fn middle_and_corners(picture: &Picture) -> ([u8; 3], [u8; 3]) {
    let rgb = picture.to_rgb();
    let (width, height) = rgb.dimensions();
    let mean = |points: &[(u32, u32)]| {
        let mut sum = [0_u32; 3];
        for &(x, y) in points {
            for dy in 0..8 {
                for dx in 0..8 {
                    let pixel = rgb.get_pixel(x + dx, y + dy);
                    sum.iter_mut().zip(pixel.0).for_each(|(s, c)| *s += u32::from(c));
                }
            }
        }
        sum.map(|s| (s / (64 * points.len() as u32)) as u8)
    };
    let (right, bottom) = (width - 8, height - 8);
    (
        mean(&[(width / 2 - 4, height / 2 - 4)]),
        mean(&[(0, 0), (right, 0), (0, bottom), (right, bottom)]),
    )
}

#[test]
fn the_demo_model_draws_what_it_is_told() {
    let mut context = demo();
    assert_eq!(context.family(), "Z-Image");
    let is = |got: u8, want: bool| if want { got > 200 } else { got < 60 };
    for (prompt, colour) in [
        ("a red circle", [true, false, false]),
        ("a green circle", [false, true, false]),
        ("a blue square", [false, false, true]),
        ("a yellow triangle", [true, true, false]),
        ("a purple square", [true, false, true]),
        ("a black cross", [false, false, false]),
    ] {
        let generated = context.generate(&demo_request(prompt)).unwrap();
        let (middle, corners) = middle_and_corners(&generated.images[0]);
        assert!(
            middle.iter().zip(colour).all(|(got, want)| is(*got, want)),
            "{prompt}: the middle is {middle:?}"
        );
        assert!(corners.iter().all(|c| *c > 230), "{prompt}: the corners are {corners:?}");
    }
}

#[test]
fn one_seed_gives_one_picture_and_another_prompt_another() {
    let mut context = demo();
    let first = context.generate(&quick_request("a red circle")).unwrap();
    let again = context.generate(&quick_request("a red circle")).unwrap();
    let other = context.generate(&quick_request("a blue square")).unwrap();
    let seed = context.generate(&quick_request("a red circle").seed(43)).unwrap();
    let fresh = demo().generate(&quick_request("a red circle")).unwrap();
    assert_eq!(first.images[0].as_bytes(), again.images[0].as_bytes());
    assert_eq!(first.images[0].as_bytes(), fresh.images[0].as_bytes());
    assert_ne!(first.images[0].as_bytes(), other.images[0].as_bytes());
    assert_ne!(first.images[0].as_bytes(), seed.images[0].as_bytes());
}

#[test]
fn a_batch_item_is_the_picture_of_its_own_seed() {
    let mut context = demo();
    let batch = context.generate(&quick_request("a red circle").batch(2).seed(10)).unwrap();
    let single = context.generate(&quick_request("a red circle").seed(11)).unwrap();
    assert_eq!(batch.seeds, [10, 11]);
    assert_eq!(batch.images[1].as_bytes(), single.images[0].as_bytes());
}

#[test]
fn weights_are_loaded_once_and_the_timings_say_when() {
    let mut context = demo();
    let first = context.generate(&quick_request("a red circle")).unwrap().timings;
    let second = context.generate(&quick_request("a red circle")).unwrap().timings;
    assert!(first.load > Duration::ZERO, "{first:?}");
    assert!(second.load < first.load / 4, "{first:?} {second:?}");
    for timings in [first, second] {
        assert!(timings.sampling > Duration::ZERO && timings.decoding > Duration::ZERO);
        let phases = timings.load + timings.text_encoding + timings.sampling + timings.decoding;
        assert!(phases <= timings.total && phases >= timings.total / 2, "{timings:?}");
    }
}

#[test]
fn sizes_are_rounded_up_and_reported() {
    let generated = demo().generate(&quick_request("a red circle").size(60, 65)).unwrap();
    assert_eq!((generated.width, generated.height), (64, 72));
    let picture = &generated.images[0];
    assert_eq!((picture.width(), picture.height(), picture.channels()), (64, 72, 3));
    assert_eq!(picture.as_bytes().len(), 64 * 72 * 3);
    assert!(picture.parameters().contains("Size: 64x72"), "{}", picture.parameters());
    assert!(
        generated.warnings.iter().any(|w| w.to_string().contains("64x72")),
        "{:?}",
        generated.warnings
    );
}

#[test]
fn progress_tells_loading_encoding_each_step_and_decoding() {
    let mut events = Vec::new();
    let watch = Watch::new().on_progress(|p| {
        events.push(p);
        ControlFlow::Continue(())
    });
    demo().generate_with(&quick_request("a red circle").batch(2), watch).unwrap();
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Progress::Loading { tensors, total } if tensors <= total))
    );
    assert!(events.iter().any(|e| matches!(e, Progress::Encoding { .. })));
    assert!(events.iter().any(|e| matches!(e, Progress::Decoding { .. })));
    let mut steps: Vec<_> = events
        .iter()
        .filter_map(|e| match e {
            Progress::Sampling { step, steps: 3, image, images: 2, .. } => Some((*image, *step)),
            Progress::Sampling { .. } => panic!("{e:?}"),
            _ => None,
        })
        .collect();
    steps.dedup();
    assert_eq!(steps, [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]);
}

#[test]
fn progress_goes_into_a_channel_too() {
    let (sender, receiver) = crossbeam_channel::unbounded();
    demo().generate_with(&quick_request("a red circle"), Watch::new().send_to(sender)).unwrap();
    let events: Vec<_> = receiver.iter().collect();
    assert!(matches!(events.last(), Some(Progress::Decoding { .. })), "{events:?}");
}

#[test]
fn tiles_are_reported_while_decoding() {
    let mut tiles = Vec::new();
    let watch = Watch::new().on_progress(|p| {
        if let Progress::Decoding { tile, tiles: of } = p {
            tiles.push((tile, of));
        }
        ControlFlow::Continue(())
    });
    let request =
        demo_request("a red circle").steps(2).vae_tiling(sdcpp::VaeTiling::with_tile_size(8, 8));
    demo().generate_with(&request, watch).unwrap();
    let (last, of) = *tiles.last().unwrap();
    assert!(of > 1 && last == of, "{tiles:?}");
}

#[test]
fn a_default_sampler_fits_the_model() {
    assert_eq!(demo().default_sampler(), sdcpp::Sampler::Euler);
    let unet = Context::new(common::sd1_config()).unwrap();
    assert_eq!(unet.family(), "SD 1.x");
    assert_eq!(unet.default_sampler(), sdcpp::Sampler::Dpmpp2m);
}

#[test]
fn a_callback_is_not_called_after_its_call() {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let mut context = demo();
    let watch = Watch::new().on_progress(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    context.generate_with(&quick_request("a red circle"), watch).unwrap();
    let during = calls.load(Ordering::Relaxed);
    assert!(during > 0);
    assert_eq!(Arc::strong_count(&calls), 1, "the closure is dropped with its call");
    context.generate(&quick_request("a red circle")).unwrap();
    demo().generate(&quick_request("a red circle")).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), during);
}

#[test]
fn the_engines_log_goes_to_tracing_and_prompts_stay_at_debug() {
    let log = common::Log::default();
    // The engine cuts lines at 4096 bytes, here inside a character.
    let prompt = format!("xyzzy {}", "é".repeat(4000));
    tracing::subscriber::with_default(log.subscriber(), || {
        let _span = tracing::info_span!("my_request").entered();
        let mut context = demo();
        context.generate(&quick_request(&prompt).negative_prompt("plugh").steps(1)).unwrap();
    });
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("sdcpp::engine")).collect();
    assert!(lines.len() > 20, "{text}");
    assert!(lines.iter().any(|l| l.contains(" INFO ") && l.contains("generate_image")), "{text}");
    assert!(lines.iter().any(|l| l.contains("my_request")), "events are in the caller's span");
    let secret: Vec<_> =
        text.lines().filter(|l| l.contains("xyzzy") || l.contains("plugh")).collect();
    assert!(!secret.is_empty(), "the engine logs prompts; this test would show nothing else");
    assert!(secret.iter().all(|line| line.contains(" DEBUG ")), "{secret:?}");
}

/// The names and paths of embeddings are read by the engine long after the configuration is gone.
#[test]
fn an_embedding_changes_the_picture_where_its_name_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sks.safetensors");
    let header = r#"{"emb_params":{"dtype":"F32","shape":[2,768],"data_offsets":[0,6144]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    (0..1536).for_each(|i| bytes.extend(((i % 7) as f32 - 3.0).to_le_bytes()));
    std::fs::write(&path, bytes).unwrap();
    let draw = |config: ModelConfig, prompt: &str| {
        let mut request = common::unet_request();
        request.prompt = prompt.to_owned();
        let mut context = Context::new(config).unwrap();
        context.generate(&request).unwrap().images[0].as_bytes().to_vec()
    };
    let plain = draw(common::sd1_config(), "a sks cat");
    let with = draw(common::sd1_config().embedding("sks", &path), "a sks cat");
    assert!(with != plain, "the embedding has an effect");
    let unused = draw(common::sd1_config().embedding("sks", &path), "a cat");
    assert!(unused == draw(common::sd1_config(), "a cat"), "and only where it is named");
}

#[test]
fn contexts_move_between_threads_and_run_side_by_side() {
    let expected = demo().generate(&quick_request("a red circle")).unwrap();
    let expected = expected.images[0].as_bytes();
    std::thread::scope(|scope| {
        for context in [demo(), demo()] {
            scope.spawn(move || {
                let mut context = context;
                for _ in 0..3 {
                    let generated = context.generate(&quick_request("a red circle")).unwrap();
                    assert!(generated.images[0].as_bytes() == expected);
                }
            });
        }
    });
}

#[test]
fn the_example_draws_saves_and_keeps_stdout_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let run = |arguments: &[&str]| {
        Command::new(example("txt2img"))
            .args(["--seed", "42", "-o"])
            .arg(&out)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|p| ("PATH", p)))
            .output()
            .unwrap()
    };
    let drawn = run(&["--prompt", "a red circle"]);
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    assert_eq!(
        String::from_utf8_lossy(&drawn.stdout),
        format!("{} (Z-Image, seed 42)\n", out.display()),
        "the engine must not write to stdout"
    );
    let library = demo().generate(&demo_request("a red circle")).unwrap();
    assert_eq!(image::open(&out).unwrap().into_rgb8().as_raw(), library.images[0].as_bytes());

    let batch =
        run(&["--prompt", "a red circle", "-b", "2", "--steps", "2", "-W", "64", "-H", "64"]);
    assert!(batch.status.success());
    assert!(folder.path().join("a-1.png").is_file() && folder.path().join("a-2.png").is_file());

    for (arguments, part) in [
        (&["--prompt", "x", "--steps", "0"][..], "steps is 0"),
        (&["--prompt", "x", "-W=-1"], "invalid value '-1'"),
        (&["--prompt", "x", "--sampler", "magic"], "euler_a"),
        (&["--prompt", "x", "-m", "no/such/file.gguf"], "model not found"),
    ] {
        let failed = run(arguments);
        let text = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(!failed.status.success() && text.contains(part), "{text}");
    }
}

/// Options rank before the environment, that before the preset.
#[test]
fn the_example_ranks_options_environment_preset_and_default() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.png");
    let draw = |vars: &[(&str, &str)], options: &[&str]| {
        let output = Command::new(example("txt2img"))
            .args(["--prompt", "x", "-o"])
            .arg(&out)
            .args(options)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|p| ("PATH", p)))
            .envs(vars.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        parameters(&out)
    };
    let small = ("SD_IMAGE_SIZE", "64");
    assert!(draw(&[], &[]).contains("Steps: 12, Sampler: Euler, CFG scale: 3,"));
    let text = draw(&[small, ("SD_INFERENCE_STEPS", "2"), ("SD_GUIDANCE_SCALE", "1")], &[]);
    assert!(text.contains("Steps: 2,") && text.contains("CFG scale: 1,") && text.contains("64x64"));
    let text = draw(&[small, ("SD_INFERENCE_STEPS", "5")], &["--steps", "1", "-W", "72"]);
    assert!(text.contains("Steps: 1,") && text.contains("Size: 72x64"), "{text}");
}

fn parameters(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(15).position(|w| w == b"tEXtparameters\0").unwrap() + 15;
    let end = bytes[at..].iter().position(|b| *b == 0 || *b > 0x7e).unwrap_or(0) + at;
    String::from_utf8_lossy(&bytes[at..end]).into_owned()
}

/// The example of this name: `cargo test` builds examples, beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "cargo test --test draw builds no examples: cargo build --example {name}"
    );
    path
}

#[test]
fn devices_are_told_and_an_unknown_one_is_an_error() {
    let devices = Engine::linked().unwrap().devices().unwrap();
    assert!(!devices.is_empty());
    let config: ModelConfig = common::demo_config().backend("no-such-device");
    let error = Context::new(config).unwrap_err();
    assert!(error.to_string().contains("no-such-device"), "{error}");
}
