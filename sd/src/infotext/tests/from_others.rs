//! Texts as other programs write them.

use super::*;
use crate::InpaintFill;

fn other(read: &Parameters) -> Vec<(&str, &str)> {
    read.other.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn a1111_with_many_lines() {
    let read = Parameters::parse(
        "a cat, (red:1.2),\nSteps: of stone, time: noon\n\n<lora:ink:0.8>\n\
         Negative prompt: dog,\nworse: blue\n\
         Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 3713812, Size: \
         512x768, Model hash: 6ce0161689, Model: v1-5, VAE hash: c6a580b13a, VAE: ae.pt, Denoising \
         strength: 0.5, Clip skip: 2, ENSD: 31337, RNG: CPU, Hires upscale: 2, Hires steps: 0, \
         Hires upscaler: Latent (bicubic), Lora hashes: \"a: b1, c: d2\", TI hashes: \"e\\\"\\u00e9: \
         f\", Version: v1.9.4",
    );
    let request = &read.request;
    assert_eq!(request.prompt, "a cat, (red:1.2),\nSteps: of stone, time: noon\n\n<lora:ink:0.8>");
    assert_eq!(request.negative_prompt, "dog,\nworse: blue");
    assert_eq!(request.sampling.scheduler, Some(Scheduler::Karras));
    assert_eq!((request.width, request.height, request.clip_skip), (512, 768, Some(2)));
    let hires = HiresFix::default().upscaler(HiresUpscaler::LatentBicubic).denoising_strength(0.5);
    assert_eq!(request.hires, Some(hires));
    assert_eq!(request.denoising_strength, 0.75);
    assert_eq!(
        other(&read),
        [
            ("Model hash", "6ce0161689"),
            ("Model", "v1-5"),
            ("VAE hash", "c6a580b13a"),
            ("VAE", "ae.pt"),
            ("ENSD", "31337"),
            ("RNG", "CPU"),
            ("Lora hashes", "a: b1, c: d2"),
            ("TI hashes", "e\"é: f"),
            ("Version", "v1.9.4"),
        ]
    );
}

#[test]
fn older_a1111_with_the_scheduler_in_the_name() {
    let read = Parameters::parse(
        "x\r\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 1, Size: 64x64, Mask blur: \
         4, Masked content: latent noise, Denoising strength: 0.6\r\n",
    );
    assert_eq!(read.request.sampling.sampler, Some(Sampler::Dpmpp2m));
    assert_eq!(read.request.sampling.scheduler, Some(Scheduler::Karras));
    assert_eq!((read.request.denoising_strength, &read.request.hires), (0.6, &None));
    assert_eq!(read.request.inpaint.mask_blur, 4);
    assert_eq!(read.request.inpaint.fill, InpaintFill::Noise { seed: 1 });
    assert!(read.other.is_empty());
}

#[test]
fn forge_with_flux() {
    let read = Parameters::parse(
        "a sign: \"open\"\nSteps: 20, Sampler: Euler, Schedule type: Beta, CFG scale: 1, Distilled \
         CFG Scale: 3.2, Shift: 3, Seed: 9, Size: 896x1152, Model: flux1, Module 1: ae, Version: \
         f2.0.1v1.10.1-previous",
    );
    assert_eq!(read.request.prompt, "a sign: \"open\"");
    assert_eq!(read.request.sampling.distilled_guidance, 3.2);
    assert_eq!(read.request.sampling.flow_shift, Some(3.0));
    assert_eq!(read.request.sampling.scheduler, None);
    assert_eq!(read.get("Schedule type"), Some("Beta"));
    assert_eq!(read.get("Version"), Some("f2.0.1v1.10.1-previous"));
}

#[test]
fn nodes_of_comfyui_civitai_and_sd_next() {
    let read = Parameters::parse(
        "x\nSteps: 20, Sampler: dpmpp_2m_karras, CFG scale: 8.0, Seed: 18446744073709551615, Size: \
         512x512, Clip skip: 2.0, Civitai resources: [{\"type\":\"checkpoint\",\"id\":[1,2]}], \
         Civitai metadata: {}, Date: 2024-01-01 12:30:00",
    );
    assert_eq!(read.request.sampling.sampler, Some(Sampler::Dpmpp2m));
    assert_eq!(read.request.sampling.scheduler, Some(Scheduler::Karras));
    assert_eq!((read.request.seed, read.request.clip_skip), (None, Some(2)));
    assert_eq!(
        other(&read),
        [
            ("Seed", "18446744073709551615"),
            ("Civitai resources", "[{\"type\":\"checkpoint\",\"id\":[1,2]}]"),
            ("Civitai metadata", "{}"),
            ("Date", "2024-01-01 12:30:00"),
        ]
    );
    let read = Parameters::parse(
        "Negative prompt: y\nSteps: 20| Size: 1x1\nSteps: 20, Size: 1024 x 1024, Sampler: Euler a, \
         Seed: 5, CFG Scale: 6, App: SD.Next, Operations: txt2img; hires",
    );
    assert_eq!(read.request.prompt, "");
    assert_eq!(read.request.negative_prompt, "y\nSteps: 20| Size: 1x1");
    assert_eq!((read.request.width, read.request.sampling.cfg_scale), (1024, 6.0));
    assert_eq!(read.get("Operations"), Some("txt2img; hires"));
}

#[test]
fn stable_diffusion_cpp_itself() {
    let read = Parameters::parse(
        "x\nSteps: 4, CFG scale: 1.000000, Guidance: 3.200000, Eta: 0.000000, Seed: 42, Size: \
         512x512, Model: m.gguf, RNG: cuda, Sampler: euler_a karras, Skip layers: [7, 8, 9], \
         Version: stable-diffusion.cpp",
    );
    assert_eq!(read.request.sampling.distilled_guidance, 3.2);
    assert_eq!(read.request.sampling.eta, Some(0.0));
    assert_eq!(read.request.sampling.scheduler, Some(Scheduler::Karras));
    assert_eq!(read.get("Skip layers"), Some("[7, 8, 9]"));
}

#[test]
fn what_is_not_understood_is_kept() {
    let read = Parameters::parse(
        "x\nSteps: many, Sampler: DPM++ 9Z, Schedule type: Automatic, Seed: 1, Size: big, oops, Hires \
         upscale: 2, Hires upscaler: 4x-UltraSharp, Cache: none",
    );
    assert_eq!(read.request.sampling.sampler, None);
    assert_eq!(
        other(&read),
        [
            ("Steps", "many"),
            ("Sampler", "DPM++ 9Z"),
            ("Schedule type", "Automatic"),
            ("Size", "big, oops"),
            ("Hires upscaler", "4x-UltraSharp"),
            ("Cache", "none"),
        ]
    );
    // Not drawn by another upscaler without a word.
    let error = read.request.check().unwrap_err().to_string();
    assert!(error.starts_with("hires.model is not set"), "{error}");
}

#[test]
fn without_settings_all_is_prompt() {
    for text in ["", "a cat", "a: b, c: d, e: f", "Steps: 20", "Steps: 20, of stone", "a\nb: c"] {
        let read = Parameters::parse(text);
        assert_eq!((read.request.prompt.as_str(), read.other.len()), (text, 0));
    }
    let read = Parameters::parse("a\nNegative prompt: b\nc");
    assert_eq!(
        (read.request.prompt.as_str(), read.request.negative_prompt.as_str()),
        ("a", "b\nc")
    );
    let read = Parameters::parse("Steps: 20, Seed: 1, Size: 8x8");
    assert_eq!((read.request.prompt.as_str(), read.request.width), ("", 8));
}

#[test]
fn templates_after_the_settings_are_kept() {
    let read = Parameters::parse(
        "a red cat\nSteps: 20, Seed: 1, Size: 8x8\n\nTemplate: a {red|blue}\ncat\nNegative Template: x: y",
    );
    assert_eq!(read.request.prompt, "a red cat");
    assert_eq!(other(&read), [("Template", "a {red|blue}\ncat"), ("Negative Template", "x: y")]);
}

#[test]
fn long_texts_take_no_longer_than_they_must() {
    for piece in ["\n", ",", "a: ", "\"", "a: [\"", "Template:\n", "Negative prompt:", "a: \"b, "] {
        let text = piece.repeat((1 << 20) / piece.len());
        let _ = Parameters::parse(&text);
        let _ = Parameters::parse(&format!("{text}\nTemplate: x"));
    }
}
