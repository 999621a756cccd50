//! What users and files get wrong: every case is a typed error that names it, and the process lives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, demo_config, demo_files, quick_request};
use sdcpp::{Context, Error, ImageRequest, ModelConfig, Scheduler, image};
use std::{
    ffi::OsStr,
    fs,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

fn refused(config: ModelConfig) -> Error {
    let error = Context::new(config).expect_err("must be refused");
    assert!(error.engine_report().is_none(), "refused before the engine is called: {error:?}");
    error
}

/// A copy of `from` with only its first `keep` bytes, its size kept as a hole if `hole`.
fn cut(from: &Path, to: &Path, keep: u64) {
    let mut bytes = Vec::new();
    fs::File::open(from).unwrap().take(keep).read_to_end(&mut bytes).unwrap();
    fs::write(to, bytes).unwrap();
}

#[test]
fn paths_that_lead_nowhere_or_to_no_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    assert!(matches!(
        refused(ModelConfig::new("no/such/model.gguf")),
        Error::FileNotFound { role, path }
            if role == "model" && path == Path::new("no/such/model.gguf")
    ));
    for (config, part) in [
        (ModelConfig::new(folder.path()), "no diffusers model"),
        (ModelConfig::new(file("empty.gguf", b"")), "is empty"),
        (ModelConfig::new(file("text.safetensors", b"just some words\n")), "a text file"),
        (ModelConfig::new(file("page.safetensors", b"<html>404</html>")), "a web page"),
        (ModelConfig::new(file("model.ckpt", b"\x80\x02}q\x00.")), "trust_pickle"),
        (ModelConfig::new(""), "model not found"),
        (ModelConfig::default(), "model is not set"),
    ] {
        let text = refused(config).to_string();
        assert!(text.contains(part), "{text:?} should say {part:?}");
    }
}

/// The engine only warns about each of these, and draws something else.
#[test]
fn every_part_of_a_model_is_checked() {
    let missing = || PathBuf::from("no/such/part.safetensors");
    let (model, _) = demo_files();
    let new = || ModelConfig::new(&model);
    for (config, role) in [
        (new().vae(missing()), "vae"),
        (new().taesd(missing()), "taesd"),
        (new().clip_l(missing()), "clip_l"),
        (new().clip_g(missing()), "clip_g"),
        (new().t5xxl(missing()), "t5xxl"),
        (new().llm(missing()), "llm"),
        (new().control_net(missing()), "control_net"),
        (new().photo_maker(missing()), "photo_maker"),
        (new().embedding("word", missing()), "embeddings"),
        (ModelConfig::from_parts(missing()), "diffusion_model"),
    ] {
        let text = refused(config).to_string();
        assert_eq!(text, format!("{role} not found: no/such/part.safetensors"));
    }
}

#[test]
fn truncated_model_files() {
    let folder = tempfile::tempdir().unwrap();
    let (gguf, taesd) = demo_files();
    let safetensors = sdcpp_test_support::tae(
        4,
        sdcpp_test_support::Format::Safetensors(sdcpp_test_support::FloatType::F16),
    )
    .unwrap();
    for source in [&gguf, &safetensors] {
        let size = fs::metadata(source).unwrap().len();
        for keep in [4, 20, 500, 4000, size / 2, size - 1] {
            let path = folder.path().join("cut");
            cut(source, &path, keep);
            let error = refused(ModelConfig::new(&path).taesd(&taesd));
            assert!(
                matches!(error, Error::NotAModel { ref role, .. } if role == "model"),
                "{keep}: {error:?}"
            );
            let error = refused(ModelConfig::new(&gguf).taesd(&path));
            assert!(
                matches!(error, Error::NotAModel { ref role, .. } if role == "taesd"),
                "{keep}: {error:?}"
            );
        }
    }
}

#[test]
fn headers_that_lie_about_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let (gguf, _) = demo_files();
    let path = folder.path().join("lie.gguf");
    // The counts of tensors and metadata entries, each claimed to be enormous.
    for at in [8, 16] {
        fs::copy(&gguf, &path).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&u64::MAX.to_le_bytes()).unwrap();
        assert!(matches!(refused(ModelConfig::new(&path)), Error::NotAModel { .. }));
    }
    let mut lie = u64::MAX.to_le_bytes().to_vec();
    lie.extend(b"{\"a\":1}");
    fs::write(&path, &lie).unwrap();
    assert!(refused(ModelConfig::new(&path)).to_string().contains("header claims"));
}

/// Names of tensors reach the engine's log as text, never as a format. ggml logs a name that comes
/// twice.
#[test]
fn tensor_names_are_not_formats() {
    let folder = tempfile::tempdir().unwrap();
    let (gguf, taesd) = demo_files();
    let mut bytes = fs::read(&gguf).unwrap();
    let find =
        |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).position(|w| w == text).unwrap();
    let hostile = b"%s%n%s%n%s%n%s%n%s%n%s";
    for name in ["layers.0.attention.k_norm.weight", "layers.0.attention.q_norm.weight"] {
        let name = format!("model.diffusion_model.{name}");
        let at = find(&bytes, name.as_bytes());
        let length = u64::from_le_bytes(bytes[at - 8..at].try_into().unwrap());
        assert_eq!(length as usize, name.len());
        let same = name.replace("k_norm", "q_norm");
        bytes[at..at + name.len()].copy_from_slice(same.as_bytes());
        bytes[at..at + hostile.len()].copy_from_slice(hostile);
    }
    let path = folder.path().join("format.gguf");
    fs::write(&path, &bytes).unwrap();
    let log = common::Log::default();
    tracing::subscriber::with_default(log.subscriber(), || {
        let config = ModelConfig::new(&path).taesd(&taesd).threads(common::THREADS);
        Context::new(config)
            .and_then(|mut context| context.generate(&quick_request("a red circle")))
            .expect_err("a tensor is missing");
    });
    assert!(log.text().contains("duplicate tensor name '%s%n"), "{}", log.text());
}

/// Reading a pipe would wait for a writer.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_models() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.gguf");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), Path::new("/dev/null")] {
        let text = refused(ModelConfig::new(path)).to_string();
        assert!(text.contains("it is no regular file"), "{text}");
        assert!(sdcpp::open_picture(path).is_err());
    }
    let below_a_file = demo_files().0.join("child.gguf");
    assert!(matches!(
        refused(ModelConfig::new(&below_a_file)),
        Error::FileUnreadable { role, path, .. } if role == "model" && path == below_a_file
    ));
}

/// Damage that the header check cannot see: the engine says no, or draws noise, and lives.
#[test]
fn flipped_bytes_in_tensor_names_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let (gguf, taesd) = demo_files();
    let original = fs::read(&gguf).unwrap();
    let path = folder.path().join("flipped.gguf");
    for at in [300, 700, 1500, 2500, 3300, 5_000_000] {
        let mut bytes = original.clone();
        bytes[at] ^= 0x5a;
        fs::write(&path, &bytes).unwrap();
        let config = ModelConfig::new(&path).taesd(&taesd).threads(common::THREADS);
        match Context::new(config).and_then(|mut c| c.generate(&quick_request("a red circle"))) {
            Ok(generated) => assert_eq!(generated.images.len(), 1),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn a_decoder_for_another_latent_is_an_error() {
    let (model, _) = demo_files();
    let other = sdcpp_test_support::tae(
        4,
        sdcpp_test_support::Format::Gguf(sdcpp_test_support::WeightType::F16),
    )
    .unwrap();
    let config = ModelConfig::new(model).taesd(other).threads(common::THREADS);
    let error = Context::new(config)
        .and_then(|mut context| context.generate(&quick_request("a red circle")))
        .expect_err("four channels are not sixteen");
    assert!(error.engine_report().is_some(), "{error:?}");
}

#[test]
fn texts_that_c_cannot_take() {
    let mut context = demo();
    let mut fails = |request: ImageRequest| context.generate(&request).unwrap_err().to_string();
    assert!(fails(quick_request("a\0b")).starts_with("prompt is a text with a NUL"));
    assert!(fails(quick_request("x").negative_prompt("\0")).starts_with("negative_prompt is"));
    assert!(fails(quick_request(&"word ".repeat(20_000))).contains("100000 bytes"));
    assert!(fails(quick_request("(a:.)")).contains("attention weight"));
    assert!(fails(quick_request("x").extra_sample_args("\0")).starts_with("extra_sample_args"));
    let nul = ModelConfig::new(demo_files().0).taesd("a\0b");
    assert!(matches!(
        Context::new(nul),
        Err(Error::FileUnreadable { .. } | Error::FileNotFound { .. })
    ));
}

/// Longer prompts overflow a usual thread's stack in the engine's tokeniser.
#[test]
fn the_longest_prompt_is_drawn() {
    let mut context = demo();
    let request = |text: &str| {
        let longest = text.repeat(32 * 1024 / text.len());
        quick_request(&longest).size(32, 32).steps(1)
    };
    assert!(context.generate(&request("x")).is_ok());
    assert!(context.generate(&request("(")).is_ok());
    let unet = &mut Context::new(common::sd1_config()).unwrap();
    let mut long = common::unet_request().steps(1).cfg_scale(1.0);
    // The CLIP encoder runs on each 75 tokens; one unbroken word is few of them and deep recursion.
    long.prompt = "a".repeat(32 * 1024);
    unet.generate(&long).unwrap();
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_unicode_reach_the_engine() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (model, taesd) = demo_files();
    let odd = folder.path().join(OsStr::from_bytes(b"m\xff\xfe \xc3\xa9.gguf"));
    fs::copy(model, &odd).unwrap();
    let mut context =
        Context::new(ModelConfig::new(&odd).taesd(taesd).threads(common::THREADS)).unwrap();
    let generated = context.generate(&quick_request("a red circle")).unwrap();
    assert!(generated.images[0].to_png().is_ok());
}

#[test]
fn prompts_in_any_script_are_drawn() {
    let mut context = demo();
    for prompt in
        ["", "красный круг", "赤い丸 🔴", "e\u{301}\u{200d}", "\\(a\\) [b] (c:1.2) BREAK d"]
    {
        let generated = context.generate(&quick_request(prompt).steps(1)).unwrap();
        let png = generated.images[0].to_png().unwrap();
        assert!(image::load_from_memory(&png).is_ok());
    }
}

#[test]
fn input_pictures_of_any_kind_are_drawn_from() {
    use image::DynamicImage;
    let mut context = demo();
    let picture = DynamicImage::from(common::test_picture(40, 30));
    let rgb = context.generate(&quick_request("x").init_image(picture.clone())).unwrap();
    for other in [
        DynamicImage::from(picture.to_rgba8()),
        DynamicImage::from(picture.to_rgb16()),
        DynamicImage::from(picture.to_rgba16()),
    ] {
        let same = context.generate(&quick_request("x").init_image(other)).unwrap();
        assert_eq!(same.images[0].as_bytes(), rgb.images[0].as_bytes());
    }
    let grey = quick_request("x").init_image(picture.to_luma8());
    let masked = quick_request("x").init_image(picture.clone()).mask(picture.to_rgba8());
    assert!(context.generate(&grey).is_ok() && context.generate(&masked).is_ok());
    let tiny = quick_request("x").init_image(image::RgbImage::new(1, 1));
    assert!(context.generate(&tiny).is_ok());
}

#[test]
fn values_outside_what_the_engine_can_take() {
    let mut context = demo();
    let new = || quick_request("x");
    for (request, field) in [
        (new().size(0, 64), "width"),
        (new().size(64, 0), "height"),
        (new().size(u32::MAX, u32::MAX), "width"),
        (new().steps(0), "steps"),
        (new().batch(0), "batch"),
        (new().batch(u32::MAX), "batch"),
        (new().denoising_strength(-1.0), "denoising_strength"),
        (new().custom_sigmas(vec![1.0]), "custom_sigmas"),
        (new().steps(1).scheduler(Scheduler::Karras), "steps"),
        (new().mask(image::GrayImage::new(8, 8)), "mask"),
    ] {
        let error = context.generate(&request).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidParameter { field: f, .. } if *f == field),
            "{error:?}"
        );
    }
    let tcd = new().sampler(sdcpp::Sampler::Tcd);
    let error = context.generate(&tcd.clone().eta(2.0)).unwrap_err();
    assert!(
        matches!(error, Error::InvalidParameter { ref field, .. } if field == "eta"),
        "{error:?}"
    );
    assert!(context.generate(&tcd.eta(0.5)).is_ok());
    let error = context.generate(&new().scheduler(Scheduler::Ays)).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    let bad_pattern = demo_config().tensor_type_rules("(=f16");
    let text = Context::new(bad_pattern).unwrap_err().to_string();
    assert!(text.starts_with("tensor_type_rules is"), "{text}");
    // Compiled on the caller's stack, a pattern of this depth would overflow it.
    let deep = demo_config().tensor_type_rules(format!("{}=f16", "(".repeat(16_000)));
    assert!(matches!(Context::new(deep), Err(Error::InvalidParameter { .. })));
    assert!(context.generate(&new()).is_ok(), "none of this reached the engine");
}

/// Each sampler and scheduler with few steps: no division by zero, no endless loop.
#[test]
fn every_sampler_and_scheduler_with_few_steps() {
    let mut context = demo();
    for sampler in sdcpp::Sampler::ALL {
        for steps in [1, 2] {
            let request = quick_request("x").size(32, 32).steps(steps).sampler(*sampler);
            context.generate(&request).unwrap_or_else(|e| panic!("{sampler} {steps}: {e}"));
        }
    }
    for scheduler in Scheduler::ALL.iter().filter(|s| **s != Scheduler::Ays) {
        for steps in [1, 2] {
            let request = quick_request("x").size(32, 32).steps(steps).scheduler(*scheduler);
            match context.generate(&request) {
                Ok(_) => {}
                Err(Error::InvalidParameter { field, .. }) if field == "steps" => {
                    assert_eq!(steps, 1)
                }
                Err(error) => panic!("{scheduler} {steps}: {error}"),
            }
        }
    }
}
