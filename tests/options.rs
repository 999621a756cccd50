//! Every option reaches the engine: it draws what the C++ program draws with the same value, and
//! another picture than without it. Neutral values change nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::{Compared, draw_alone},
    demo_config, family_config, quick_request, sd1_config, test_mask, test_picture, unet_request,
};
use sdcpp::{
    HiresFix, HiresUpscaler, ImageRequest, Inpaint, Lora, LoraApplyMode, ModelConfig, Prediction,
    RngKind, Sampler, Scheduler, SkipLayers, VaeFormat, VaeTiling, WeightType, image,
};
use sdcpp_test_support::{Format, Sd1Lora, UNetFamily, ZImageLora};

fn base() -> ImageRequest {
    quick_request("a red circle")
}

fn demo() -> Compared {
    Compared::new(demo_config())
}

fn demo_lora(rank: usize) -> Lora {
    let spec = ZImageLora { layers: 2, rank, ..ZImageLora::default() };
    let format = Format::Safetensors(sdcpp_test_support::FloatType::F16);
    Lora::new(sdcpp_test_support::zimage_lora(spec, format).unwrap())
}

#[test]
fn sampling_options_of_a_transformer() {
    let base = base().negative_prompt("blue");
    demo().each_changes(
        &base,
        [
            ("steps", base.clone().steps(4)),
            ("cfg_scale", base.clone().cfg_scale(5.0)),
            ("negative_prompt", base.clone().negative_prompt("red")),
            ("sampler", base.clone().sampler(Sampler::Heun)),
            ("scheduler", base.clone().scheduler(Scheduler::Karras)),
            ("flow_shift", base.clone().flow_shift(8.0)),
            ("custom_sigmas", base.clone().custom_sigmas([1.0, 0.9, 0.2, 0.0])),
            (
                "extra_sample_args",
                base.clone().extra_sample_args("apg_eta=0.5,apg_norm_threshold=1"),
            ),
            ("seed", base.clone().seed(43)),
            ("size", base.clone().size(64, 128)),
        ],
    );
}

#[test]
fn samplers_that_add_noise_take_eta() {
    let base = base().sampler(Sampler::EulerA);
    demo().each_changes(&base, [("eta", base.clone().eta(0.2))]);
}

#[test]
fn pictures_to_start_from_and_masks() {
    let start = base().init_image(test_picture(64, 64));
    let mask = test_mask(64, 64);
    let white = image::GrayImage::from_pixel(64, 64, image::Luma([255]));
    let mut demo = demo();
    let half = start.clone().denoising_strength(0.5);
    demo.each_changes(&base(), [("init_image", half)]);
    demo.each_changes(
        &start,
        [
            ("denoising_strength", start.clone().denoising_strength(0.3)),
            ("mask", start.clone().mask(mask.clone())),
        ],
    );
    demo.none_changes(
        &start,
        [
            ("a white mask", start.clone().mask(white.clone())),
            ("an inverted black mask", {
                let black = image::GrayImage::new(64, 64);
                start.clone().mask(black).inpaint(Inpaint::new().invert(true))
            }),
            ("kept outside of all", {
                start.clone().mask(white).inpaint(Inpaint::new().keep_unmasked(true))
            }),
        ],
    );
}

#[test]
fn tiles_and_a_second_pass() {
    let mut demo = demo();
    let large = base().size(128, 128);
    let tiles = |tiling: VaeTiling| large.clone().vae_tiling(tiling);
    demo.each_changes(
        &large,
        [
            ("tile_size", tiles(VaeTiling::with_tile_size(8, 4))),
            ("overlap", tiles(VaeTiling::with_tile_size(8, 8).overlap(0.25))),
            ("relative_size", tiles(VaeTiling::default().relative_size((0.5, 0.25)))),
        ],
    );
    demo.none_changes(&large, [("one tile", tiles(VaeTiling::with_tile_size(64, 64)))]);

    let hires = base().hires(HiresFix::default());
    demo.each_changes(&base(), [("hires", hires.clone())]);
    let with = |hires: HiresFix| base().hires(hires);
    demo.each_changes(
        &hires,
        [
            ("hires.scale", with(HiresFix::scaled_by(1.5))),
            ("hires.target_size", with(HiresFix::default().target_size((64, 128)))),
            ("hires.steps", with(HiresFix::default().steps(5))),
            ("hires.denoising_strength", with(HiresFix::default().denoising_strength(0.3))),
            ("hires.custom_sigmas", with(HiresFix::default().custom_sigmas(vec![0.6, 0.3, 0.0]))),
        ],
    );
}

#[test]
fn every_upscaler_of_the_second_pass() {
    let mut demo = demo();
    let esrgan = sdcpp_test_support::esrgan(2, Format::Gguf(sdcpp_test_support::WeightType::F16));
    let esrgan = esrgan.unwrap();
    let mut seen = Vec::new();
    for upscaler in HiresUpscaler::ALL {
        let fix = HiresFix::scaled_by(1.5).steps(2).denoising_strength(0.4).upscaler(*upscaler);
        let fix = match upscaler {
            HiresUpscaler::Model => fix.model(&esrgan),
            _ => fix,
        };
        let pixels = demo.draw(upscaler.name(), &base().hires(fix));
        seen.push((upscaler, pixels));
    }
    for (index, (a, first)) in seen.iter().enumerate() {
        for (b, second) in seen.iter().skip(index + 1) {
            // Enlarging needs no antialiasing, and by this factor the two nearest round alike.
            let alike = a.name().contains("nearest") && b.name().contains("nearest")
                || b.name().contains("antialiased") && !a.name().contains("nearest");
            assert!(alike || first != second, "{a} draws as {b} does");
        }
    }
    let tiled =
        HiresFix::scaled_by(1.5).steps(2).denoising_strength(0.4).model(&esrgan).tile_size(32);
    let whole = HiresFix::scaled_by(1.5).steps(2).denoising_strength(0.4).model(&esrgan);
    demo.each_changes(&base().hires(whole), [("hires.tile_size", base().hires(tiled))]);
}

#[test]
fn loras_change_a_model_by_their_multiplier() {
    let mut demo = demo();
    let lora = demo_lora(4);
    let once = base().lora(lora.clone());
    demo.each_changes(&base(), [("lora", once.clone())]);
    demo.each_changes(&once, [("multiplier", base().lora(lora.clone().multiplier(-0.5)))]);
    demo.none_changes(&base(), [("multiplier 0", base().lora(lora.multiplier(0.0)))]);
}

#[test]
fn loras_of_a_unet_apply_in_both_ways() {
    let lora = Lora::new(sdcpp_test_support::sd1_lora(Sd1Lora::default()).unwrap());
    let plain = unet_request();
    let with = plain.clone().lora(lora);
    Compared::new(sd1_config()).each_changes(&plain, [("lora at run time", with.clone())]);
    let merged = || {
        let spec = sdcpp_test_support::UNet::smallest(UNetFamily::Sd1);
        let format = Format::Gguf(sdcpp_test_support::WeightType::F16);
        let mut config = family_config(UNetFamily::Sd1).mmap(false);
        config.diffusion_model = Some(sdcpp_test_support::unet(spec, format).unwrap());
        config.weight_type(WeightType::F16).lora_apply_mode(LoraApplyMode::Immediately)
    };
    Compared::new(merged()).each_changes(&plain, [("lora merged", with)]);
}

#[test]
fn two_loras_apply_together() {
    let mut demo = demo();
    let (first, second) = (demo_lora(4), demo_lora(2));
    let one = base().lora(first.clone());
    let two = one.clone().lora(second.clone());
    demo.each_changes(
        &two,
        [
            ("the first alone", one.clone()),
            ("the second alone", base().lora(second.clone())),
            (
                "the first's multiplier",
                base().lora(first.clone().multiplier(0.3)).lora(second.clone()),
            ),
            ("the second's multiplier", one.clone().lora(second.clone().multiplier(0.3))),
        ],
    );
    let nothing = one.clone().lora(second.multiplier(0.0));
    demo.none_changes(&one, [("a second with multiplier 0", nothing)]);
}

#[test]
fn options_of_a_unet() {
    let base = unet_request().steps(6);
    Compared::new(family_config(UNetFamily::Sd1)).each_changes(
        &base,
        [
            ("clip_skip", base.clone().clip_skip(4)),
            ("scheduler ays", base.clone().scheduler(Scheduler::Ays)),
        ],
    );
}

#[test]
fn sdxl_takes_shifted_timesteps() {
    let base = unet_request().cfg_scale(1.0);
    Compared::new(family_config(UNetFamily::Sdxl))
        .each_changes(&base, [("shifted_timestep", base.clone().shifted_timestep(250))]);
    let mut sd1 = Compared::new(family_config(UNetFamily::Sd1));
    let shifted = base.shifted_timestep(250);
    let error = sd1.context().generate(&shifted).unwrap_err().to_string();
    assert!(error.starts_with("shifted timesteps with SD 1.x is not supported"), "{error}");
}

#[test]
fn options_of_the_configuration() {
    let plain = draw_alone("plain", demo_config(), &base());
    let changes: Vec<(&str, ModelConfig)> = vec![
        ("rng", demo_config().rng(RngKind::Cpu)),
        ("weight_type", demo_config().weight_type(WeightType::Q4_0)),
        ("tensor_type_rules", demo_config().tensor_type_rules("layers=q4_0")),
        ("prediction", demo_config().prediction(Prediction::Eps)),
        ("circular_x", demo_config().circular_x(true)),
        ("circular_y", demo_config().circular_y(true)),
    ];
    for (name, config) in changes {
        assert!(draw_alone(name, config, &base()) != plain, "{name} changes nothing");
    }
    let neutral: Vec<(&str, ModelConfig)> = vec![
        ("mmap", demo_config().mmap(true)),
        ("backend", demo_config().backend("cpu")),
        ("backend by module", demo_config().backend("cpu,te=cpu,vae=cpu")),
        // The engine reads it for PiD models alone, which these tests have none of.
        ("vae_format", demo_config().vae_format(VaeFormat::Flux)),
        ("params_backend", demo_config().params_backend("disk")),
        ("max_vram", demo_config().max_vram(1.0).stream_layers(true)),
        ("threads", demo_config().threads(2)),
    ];
    for (name, config) in neutral {
        assert!(draw_alone(name, config, &base()) == plain, "{name} changes the picture");
    }
    for (name, config) in [
        ("flash_attention", demo_config().flash_attention(true)),
        ("diffusion_flash_attention", demo_config().diffusion_flash_attention(true)),
        ("diffusion_conv_direct", demo_config().diffusion_conv_direct(true)),
        ("vae_conv_direct", demo_config().vae_conv_direct(true)),
    ] {
        draw_alone(name, config, &base());
    }
    let noisy = base().sampler(Sampler::EulerA);
    let plain = draw_alone("plain", demo_config(), &noisy);
    let other = draw_alone("sampler_rng", demo_config().sampler_rng(RngKind::Cpu), &noisy);
    assert!(other != plain, "sampler_rng changes nothing");
}

#[test]
fn skip_layers_need_a_transformer() {
    let skip = unet_request().skip_layers(SkipLayers::default());
    let error = Compared::new(sd1_config()).context().generate(&skip).unwrap_err();
    assert!(error.to_string().contains("skip-layer guidance with SD 1.x"), "{error}");
}
