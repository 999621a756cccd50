//! Estimates of memory are near what the engine takes, and what does not fit is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    demo_config, family_config, measured, test_picture,
    transformers::{
        F16, MAPPED, Q8_0, flux, ltx, parts, qwen_image, qwen2_5_vl, request, sd3, wan,
    },
    unet_request,
};
use sdcpp::{Context, Error, ImageRequest, MemoryEstimate, ModelConfig, VaeTiling, VideoRequest};
use sdcpp_test_support::{
    self as models, ErnieImage, Flux, FluxKind, Llm, QwenImage, UNetFamily, VideoLatent, Wan,
    ZImage,
};

/// How far an estimate may be from what was measured.
const MOST: f64 = 1.3;

fn assert_near(name: &str, ratios: [f64; 3]) {
    for (part, ratio) in ["peak", "sampling", "decoding"].iter().zip(ratios) {
        assert!((1.0 / MOST..MOST).contains(&ratio), "{name}: {part} is estimated at {ratio:.2}");
    }
}

fn assert_picture(name: &str, config: &ModelConfig, request: &ImageRequest) {
    let name = format!("{name} {}x{}", request.width, request.height);
    let estimate = MemoryEstimate::of(config, request).unwrap();
    assert_near(&name, measured::row(&name, &estimate, &measured::picture(config, request)));
}

fn assert_video(name: &str, config: &ModelConfig, request: &VideoRequest) {
    let name = format!("{name} {}x{}x{}", request.width, request.height, request.frames);
    let estimate = MemoryEstimate::of_video(config, request).unwrap();
    assert_near(&name, measured::row(&name, &estimate, &measured::video(config, request)));
}

#[test]
fn unets_need_what_is_estimated() {
    for family in [
        UNetFamily::Sd1,
        UNetFamily::Sd1Tiny,
        UNetFamily::Sdxs512,
        UNetFamily::Sd2,
        UNetFamily::Sd2Tiny,
        UNetFamily::Sdxs09,
        UNetFamily::Sdxl,
        UNetFamily::Ssd1b,
        UNetFamily::Vega,
    ] {
        let request = unet_request().size(128, 128).steps(1).cfg_scale(1.0);
        assert_picture(&format!("{family:?}"), &family_config(family), &request);
    }
}

#[test]
fn the_autoencoder_needs_what_is_estimated_in_all_its_ways() {
    let mut config = family_config(UNetFamily::Sd1).vae(models::vae().unwrap());
    config.taesd = None;
    let plain = unet_request().size(256, 192).steps(2).cfg_scale(1.0);
    let from = plain.clone().init_image(test_picture(256, 192));
    assert_picture("SD1 with VAE", &config, &from);
    assert_picture("flash", &config.clone().flash_attention(true), &from);
    let im2col = config.clone().vae_conv_direct(false).diffusion_conv_direct(false);
    assert_picture("im2col", &im2col, &from);
    assert_picture("tiles", &config, &from.vae_tiling(VaeTiling::with_tile_size(16, 16)));
    assert_picture("two", &config, &plain.batch(2));
}

#[test]
fn transformers_need_what_is_estimated() {
    let tae = |channels| models::tae(channels, F16).unwrap();
    let mistral = || models::llm(Llm::Mistral { width: 32, layers: 30 }, Q8_0).unwrap();
    let ovis = parts(models::flux(Flux::of(FluxKind::Ovis { text: 32 }), Q8_0))
        .llm(models::llm(Llm::Qwen3 { width: 32, layers: 1 }, Q8_0).unwrap())
        .taesd(tae(16));
    let longcat =
        parts(models::flux(Flux::of(FluxKind::LongCat), Q8_0)).llm(qwen2_5_vl()).taesd(tae(16));
    let klein = parts(models::flux(Flux::of(FluxKind::Flux2Klein { text: 32 }), Q8_0))
        .llm(models::llm(Llm::Qwen3 { width: 32, layers: 28 }, Q8_0).unwrap())
        .taesd(tae(32));
    let flux2 = parts(models::flux(Flux::of(FluxKind::Flux2 { text: 32 }), Q8_0))
        .llm(mistral())
        .taesd(tae(32));
    let ernie =
        parts(models::ernie_image(ErnieImage::default(), Q8_0)).llm(mistral()).taesd(tae(32));
    let zimage = ModelConfig::new(models::zimage(ZImage::default(), Q8_0).unwrap())
        .taesd(tae(16))
        .threads(common::THREADS);
    for (name, config) in [
        ("FLUX", flux(FluxKind::Flux)),
        ("FLUX flash", flux(FluxKind::Flux).diffusion_flash_attention(true)),
        ("Ovis", ovis),
        ("LongCat", longcat),
        ("FLUX.2 klein", klein),
        ("FLUX.2", flux2),
        ("ERNIE", ernie),
        ("SD3", sd3()),
        ("Z-Image", zimage),
        ("demo", demo_config()),
    ] {
        assert_picture(name, &config, &request().size(128, 128).steps(1));
    }
    let edit = request().size(128, 128).steps(1).reference_image(test_picture(128, 128));
    assert_picture("FLUX with a reference", &flux(FluxKind::Flux), &edit);
}

#[test]
fn large_transformers_need_what_is_estimated() {
    let one = request().steps(1);
    let chroma = parts(models::flux(Flux::of(FluxKind::Chroma), MAPPED))
        .taesd(models::tae(16, F16).unwrap());
    assert_picture("Chroma", &chroma, &one);
    let radiance = parts(models::flux(Flux::of(FluxKind::ChromaRadiance), MAPPED));
    assert_picture("Chroma Radiance", &radiance, &one);
    let tiny = parts(models::qwen_image(QwenImage::default()))
        .llm(qwen2_5_vl())
        .taesd(models::video_tae(VideoLatent::Wan, F16).unwrap());
    assert_picture("Qwen-Image", &tiny, &one);
    assert_picture("Qwen-Image with VAE", &qwen_image(), &one.size(128, 128));
}

#[test]
fn videos_need_what_is_estimated() {
    let request = |frames| {
        VideoRequest::new("waves").size(64, 64).frames(frames).steps(1).cfg_scale(1.0).seed(3)
    };
    assert_video("Wan", &wan(Wan::T2v1_3B), &request(9));
    let mut with_vae = wan(Wan::T2v1_3B).vae(models::wan_vae().unwrap());
    with_vae.taesd = None;
    assert_video("Wan with VAE", &with_vae, &request(9));
    assert_video("Wan VACE", &wan(Wan::Vace1_3B), &request(5));
    let from = request(5).init_image(test_picture(64, 64));
    let i2v = wan(Wan::I2v1_3B).clip_vision(models::clip_vision(MAPPED).unwrap());
    assert_video("Wan I2V", &i2v, &from);
    assert_video("Wan 2.2 TI2V", &wan(Wan::Ti2v5B), &from);
    let mut ltx_request = request(9).size(128, 128);
    ltx_request.prompt = "<unused5>".to_owned();
    assert_video("LTX-2", &ltx(), &ltx_request);
}

/// A child process's part: opens the demo model and draws, and says how that ended.
#[cfg(unix)]
#[test]
#[ignore = "run by the others, in a process of its own"]
fn child() {
    let Ok(size) = std::env::var("MEMORY_TEST_SIZE") else { return };
    let size = size.parse().unwrap();
    let checked = std::env::var("MEMORY_TEST_CHECK").unwrap() == "1";
    // A matrix of all patches, so that a picture of moderate size needs much.
    let config = demo_config().memory_check(checked).vae_conv_direct(false);
    let request = common::quick_request("a red circle").size(size, size).steps(1);
    let drawn = Context::new(config).and_then(|mut context| context.generate(&request));
    match drawn {
        Ok(_) => println!("ended: drawn"),
        Err(error) => println!("ended: {} {}: {error}", error.kind(), error.is_out_of_memory()),
    }
}

/// Runs the child under a limit of the shell's `ulimit`, in KiB, and gives how it ended.
#[cfg(unix)]
fn limited(limit: &str, size: u32, check: bool) -> String {
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{limit}; exec \"$0\" --ignored --exact child --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .env("MEMORY_TEST_SIZE", size.to_string())
        .env("MEMORY_TEST_CHECK", if check { "1" } else { "0" })
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ended =
        text.lines().find_map(|line| line.split_once("ended: ")).map(|(_, end)| end.to_owned());
    ended.unwrap_or_else(|| {
        format!("{:?} {}", output.status, String::from_utf8_lossy(&output.stderr))
    })
}

#[cfg(unix)]
#[test]
fn a_picture_that_does_not_fit_is_refused_with_numbers_before_it_begins() {
    // Of the address space the engine takes some hundred megabytes for itself.
    let gigabyte = "ulimit -v 1048576";
    assert_eq!(limited(gigabyte, 64, true), "drawn");
    let refused = limited(gigabyte, 1024, true);
    assert!(refused.starts_with("insufficient_memory true: drawing 1024x1024 with "), "{refused}");
    assert!(refused.contains("demo_q8_0.gguf needs about 2"), "{refused}");
    assert!(refused.contains(" MiB of memory on CPU, and "), "{refused}");
    let tried = limited(gigabyte, 1024, false);
    assert!(tried.starts_with("out_of_memory true: out of memory while decoding"), "{tried}");
}

/// The least that each limit must leave, found by trying: what still draws is not refused.
#[cfg(unix)]
#[test]
#[ignore = "takes minutes; scripts/memory.sh runs it"]
fn what_just_fits_is_not_refused() {
    for kind in ["-v", "-d"] {
        for size in [64, 384] {
            let (mut low, mut high) = (0_u64, 4 << 20);
            while high - low > 16 << 10 {
                let middle = low.midpoint(high);
                match limited(&format!("ulimit {kind} {middle}"), size, false).as_str() {
                    "drawn" => high = middle,
                    _ => low = middle,
                }
            }
            let least = format!("ulimit {kind} {high}");
            assert_eq!(limited(&least, size, true), "drawn", "{least} KiB for {size}");
        }
    }
}

#[test]
fn what_no_machine_has_is_refused_and_the_context_draws_on() {
    let mut context = Context::new(demo_config()).unwrap();
    let quick = common::quick_request("a red circle");
    let error = context.generate(&quick.clone().size(16_384, 16_384)).unwrap_err();
    let Error::InsufficientMemory { doing, device, needed, available } = &error else {
        panic!("{error:?}");
    };
    assert!(doing.starts_with("drawing 16384x16384 with ") && device == "CPU", "{error}");
    assert!(needed > available, "{error}");
    assert!(error.advice().unwrap().contains("tiling"));
    assert!(context.generate(&quick).is_ok());
    // In tiles the decoder needs little, and the transformer still too much.
    let tiled = quick.size(16_384, 16_384).vae_tiling(VaeTiling::default());
    let estimate = MemoryEstimate::of(&demo_config(), &tiled).unwrap();
    assert!(estimate.vae_decode < 1 << 30 && estimate.sampling > 1 << 40, "{estimate:?}");
}

/// A model whose files have no room: it is refused when it is opened.
#[cfg(unix)]
#[test]
fn weights_that_do_not_fit_are_refused_before_loading() {
    if std::env::var_os("MEMORY_TEST_LOADS").is_some() {
        let config = ModelConfig::new(models::sd1_real_size_aliased().unwrap()).mmap(false);
        let error = Context::new(config).unwrap_err();
        println!("ended: {} {error}", error.kind());
        return;
    }
    models::sd1_real_size_aliased().unwrap();
    let name = "weights_that_do_not_fit_are_refused_before_loading";
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 1048576; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env("MEMORY_TEST_LOADS", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("ended: insufficient_memory loading "), "{text}");
    assert!(text.contains(" needs about 2"), "{text}");
}

#[test]
fn files_that_tell_nothing_have_no_estimate() {
    let request = ImageRequest::new("x");
    let tae = ModelConfig::new(models::tae(16, F16).unwrap());
    let error = MemoryEstimate::of(&tae, &request).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    let error = MemoryEstimate::of(&ModelConfig::new("none.gguf"), &request).unwrap_err();
    assert!(matches!(error, Error::FileNotFound { .. }), "{error:?}");
}
