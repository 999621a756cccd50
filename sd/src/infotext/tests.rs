use super::{Facts, Parameters, write};
use crate::*;
use proptest::prelude::*;

mod files;
mod from_others;

fn facts<'a>(request: &ImageRequest, sampler: Sampler, model: &'a str) -> Facts<'a> {
    Facts {
        sampler,
        scheduler: request.sampling.scheduler,
        steps: request.sampling.effective_steps(),
        rng: crate::RngKind::Cuda,
        seed: request.seed.unwrap_or(5),
        width: request.width,
        height: request.height,
        model,
    }
}

#[test]
fn reads_as_a1111_writes() {
    let request = ImageRequest::new("a red circle")
        .negative_prompt("blue")
        .steps(12)
        .cfg_scale(3.0)
        .size(128, 64)
        .seed(7)
        .scheduler(Scheduler::Karras);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        write(&request, &facts(&request, Sampler::EulerA, "demo, v2")),
        format!(
            "a red circle\nNegative prompt: blue\nSteps: 12, Sampler: Euler a, Schedule type: \
             Karras, CFG scale: 3, Seed: 7, Size: 128x64, Model: \"demo, v2\", Version: sdcpp \
             {version}"
        )
    );
}

#[test]
fn everything_else_is_written_in_known_words() {
    let picture = || image::RgbImage::new(1, 1);
    let request = ImageRequest::new("x")
        .init_image(picture())
        .denoising_strength(0.5)
        .control_image(picture())
        .reference_image(picture())
        .resize_references(false)
        .distilled_guidance(4.0)
        .flow_shift(3.0)
        .custom_sigmas([2.0, 0.5, 0.0])
        .skip_layers(SkipLayers::new([7]).scale(3.0))
        .step_cache(StepCache::UCache(UCache::default().end(0.5)))
        .lora(Lora::new("/secret/ink.v2.safetensors").multiplier(0.8))
        .lora(Lora::new("none.gguf").multiplier(0.0))
        .lora(Lora::new("b>.gguf").high_noise(true))
        .hires(HiresFix::scaled_by(1.5).model("/secret/4x-Ultra.gguf").steps(9));
    let text = write(&request, &facts(&request, Sampler::Euler, ""));
    assert!(!text.contains("secret"), "{text}");
    let (prompt, settings) = text.split_once('\n').unwrap();
    assert_eq!(prompt, "x <lora:ink.v2:0.8> <lora:|high_noise|b_:1>");
    let (settings, _) = settings.split_once(", Version").unwrap();
    assert_eq!(
        settings,
        "Steps: 2, Sampler: Euler, CFG scale: 7.5, Distilled CFG Scale: 4, Skip layers: \
         \"{\\\"layers\\\":[7],\\\"scale\\\":3.0}\", Seed: 5, Size: 512x512, Denoising strength: \
         0.5, Hires denoising strength: 0.7, Hires upscale: 1.5, Hires steps: 9, Hires upscaler: \
         4x-Ultra, Shift: 3, Sigmas: 2 0.5 0, ControlNet strength: 0.9, References: 1, Resize \
         references: false, Cache: \"{\\\"mode\\\":\\\"ucache\\\",\\\"end\\\":0.5}\""
    );
}

/// What of a request the text can carry, as it comes back.
fn carried(request: &ImageRequest, facts: &Facts<'_>) -> ImageRequest {
    let default = ImageRequest::default();
    let mut expected = request.clone();
    let text = write(request, facts);
    let tags = text.strip_prefix(&request.prompt).unwrap();
    let end = tags.find("\nNegative prompt:").or(tags.rfind('\n')).unwrap();
    expected.prompt = format!("{}{}", request.prompt, &tags[..end]).trim().to_owned();
    expected.negative_prompt = request.negative_prompt.trim().to_owned();
    expected.sampling.sampler = Some(facts.sampler);
    expected.sampling.steps = facts.steps;
    expected.seed = Some(facts.seed);
    expected.batch = 1;
    expected.vae_tiling_fallback = false;
    expected.loras.clear();
    if request.init_image.is_none() {
        expected.denoising_strength = default.denoising_strength;
    }
    if request.control_image.is_none() {
        expected.control_strength = default.control_strength;
    }
    if request.reference_images.is_empty() {
        expected.resize_references = default.resize_references;
        expected.increase_reference_index = default.increase_reference_index;
    }
    (expected.init_image, expected.mask, expected.control_image) = (None, None, None);
    expected.reference_images.clear();
    expected.photo_maker = None;
    if let Some(hires) = &mut expected.hires {
        hires.model = None;
        if hires.target_size.is_some() {
            hires.scale = HiresFix::default().scale;
        }
    }
    expected
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        request in arbitrary::image_request(),
        sampler in proptest::sample::select(Sampler::ALL),
        model in "[a-z,:\" ]{0,8}",
        lines in any::<bool>(),
    ) {
        let facts = facts(&request, sampler, &model);
        let mut text = write(&request, &facts);
        if lines {
            text = text.replace('\n', "\r\n") + "\r\n \n";
        }
        let read = Parameters::parse(&text);
        prop_assert_eq!(&read.request, &carried(&request, &facts), "{}", text);
        let keys: Vec<_> = read.other.iter().map(|(key, _)| key.as_str()).collect();
        let known = ["Model", "Hires upscaler", "References", "PhotoMaker style strength", "Version"];
        prop_assert!(keys.iter().all(|key| known.contains(key)), "{:?}", read.other);
        prop_assert_eq!(read.get("Model").unwrap_or_default(), model);
        prop_assert!(read.get("Version").unwrap().starts_with("sdcpp "));
    }

    #[test]
    fn any_text_is_read(text in "(\\PC|\n|\r){0,60}") {
        let read = Parameters::parse(&text);
        prop_assert!(!read.other.is_empty() || read.request.prompt.len() <= text.len());
    }

    #[test]
    fn any_settings_are_read(
        text in "([a-z]{0,3}\n)?(Steps: ?[0-9.-]{0,4},)?((Size|Seed|Steps|Hires [a-z]{3}|Cache)?:? ?[\"\\[{}\\],:a-z0-9\\\\]{0,5},?){0,6}(\nTemplate: [a-z]{0,3})?",
    ) {
        let _ = Parameters::parse(&text);
    }
}
