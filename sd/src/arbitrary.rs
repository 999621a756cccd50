//! Requests at random, for property tests: every field at times set, every request valid.

use crate::*;
use ::image::{GrayImage, RgbImage};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Words, quotes, line breaks and letters beyond Latin-1; no brackets, for weights have rules.
pub(crate) fn words() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 ,.:;<>\"'\\\\\n\u{e9}\u{96ea}-]{0,40}"
}

fn path() -> impl Strategy<Value = std::path::PathBuf> {
    "[a-zA-Z0-9 ._/\u{e9}-]{0,12}[a-z]\\.(gguf|safetensors)".prop_map(Into::into)
}

fn args() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}=[0-9.]{1,4}(,[a-z_]{1,8}=[0-9.]{1,4}){0,2}"
}

fn share() -> impl Strategy<Value = f32> {
    0.0_f32..=1.0
}

/// Two numbers, the smaller first.
fn span() -> impl Strategy<Value = (f32, f32)> {
    (share(), share()).prop_map(|(a, b)| (a.min(b), a.max(b)))
}

pub(crate) fn rgb() -> impl Strategy<Value = RgbImage> {
    (1_u32..5, 1_u32..5, any::<[u8; 3]>()).prop_map(|(width, height, color)| {
        RgbImage::from_fn(width, height, |x, y| ::image::Rgb(color.map(|c| c ^ (x * 7 + y) as u8)))
    })
}

/// A picture and perhaps a mask of its size.
fn init() -> impl Strategy<Value = (Option<RgbImage>, Option<GrayImage>)> {
    let masked = (rgb(), any::<Option<u8>>()).prop_map(|(picture, grey)| {
        let (width, height) = picture.dimensions();
        let mask = grey.map(|g| GrayImage::from_pixel(width, height, ::image::Luma([g])));
        (Some(picture), mask)
    });
    prop_oneof![Just((None, None)), masked]
}

fn sigmas() -> impl Strategy<Value = Vec<f32>> {
    vec(0.0_f32..100.0, 0..5).prop_map(|mut sigmas| {
        sigmas.sort_by(|a, b| b.total_cmp(a));
        sigmas.dedup();
        if sigmas.len() == 1 { Vec::new() } else { sigmas }
    })
}

fn skip_layers() -> impl Strategy<Value = SkipLayers> {
    (vec(0_u32..=1000, 1..4), span(), -100.0_f32..=100.0).prop_map(
        |(layers, (start, end), scale)| SkipLayers::new(layers).start(start).end(end).scale(scale),
    )
}

fn sampler() -> impl Strategy<Value = Option<Sampler>> {
    option::of(select(Sampler::ALL))
}

pub(crate) fn sampling() -> impl Strategy<Value = Sampling> {
    let guidance = (
        -100.0_f32..=100.0,
        option::of(-100.0_f32..=100.0),
        0.0_f32..=100.0,
        option::of(skip_layers()),
    );
    let noise = (option::of(share()), option::of(0.1_f32..=100.0), 0_u32..=1000, sigmas());
    let scheduler = option::of(select(Scheduler::ALL));
    (2_u32..=1000, guidance, noise, sampler(), scheduler, option::of(args())).prop_map(
        |(steps, guidance, noise, sampler, scheduler, extra_sample_args)| Sampling {
            steps,
            cfg_scale: guidance.0,
            image_cfg_scale: guidance.1,
            distilled_guidance: guidance.2,
            skip_layers: guidance.3,
            sampler,
            scheduler: scheduler.filter(|_| noise.3.is_empty()),
            eta: noise.0,
            flow_shift: noise.1,
            shifted_timestep: noise.2,
            custom_sigmas: noise.3,
            extra_sample_args,
        },
    )
}

fn high_noise() -> impl Strategy<Value = HighNoise> {
    (
        option::of(1_u32..=1000),
        -100.0_f32..=100.0,
        option::of(-100.0_f32..=100.0),
        0.0_f32..=100.0,
        option::of(skip_layers()),
        sampler(),
        option::of(share()),
        option::of(args()),
    )
        .prop_map(|(steps, cfg, image_cfg, distilled, skip_layers, sampler, eta, args)| {
            HighNoise {
                steps,
                cfg_scale: cfg,
                image_cfg_scale: image_cfg,
                distilled_guidance: distilled,
                skip_layers,
                sampler,
                eta,
                extra_sample_args: args,
            }
        })
}

fn vae_tiling() -> impl Strategy<Value = VaeTiling> {
    (
        (4_u32..=4096, 4_u32..=4096),
        option::of((0.001_f32..=1000.0, 0.001_f32..=1000.0)),
        0.0_f32..=0.5,
        any::<bool>(),
        option::of(args()),
    )
        .prop_map(|(tile_size, relative_size, overlap, temporal, extra_args)| VaeTiling {
            tile_size,
            relative_size,
            overlap,
            temporal,
            extra_args,
        })
}

fn db_cache() -> impl Strategy<Value = DbCache> {
    let limits = (option::of(0_u32..=1000), option::of(0_u32..=1000));
    let blocks = (0_u32..=1000, 0_u32..=1000);
    (blocks, 0.0_f32..=100.0, 0_u32..=1000, limits, vec(any::<bool>(), 0..4), any::<bool>())
        .prop_map(|(blocks, residual_threshold, warmup_steps, limits, steps_mask, dynamic_mask)| {
            DbCache {
                first_blocks: blocks.0,
                last_blocks: blocks.1,
                residual_threshold,
                warmup_steps,
                max_cached_steps: limits.0,
                max_continuous_cached_steps: limits.1,
                steps_mask,
                dynamic_mask,
            }
        })
}

fn taylor_seer() -> impl Strategy<Value = TaylorSeer> {
    (1_u32..=8, 1_u32..=1000)
        .prop_map(|(derivatives, skip_interval)| TaylorSeer { derivatives, skip_interval })
}

pub(crate) fn step_cache() -> impl Strategy<Value = StepCache> {
    let part = || (0.0_f32..0.5, 0.5_f32..=1.0);
    let easy = (0.0_f32..=100.0, part())
        .prop_map(|(t, (s, e))| EasyCache::default().reuse_threshold(t).start(s).end(e));
    let u =
        (0.0_f32..=100.0, part(), share(), any::<bool>(), any::<bool>()).prop_map(
            |(reuse_threshold, (start, end), error_decay_rate, relative, reset_on_compute)| {
                UCache { reuse_threshold, start, end, error_decay_rate, relative, reset_on_compute }
            },
        );
    let window = (1_u32..=1000, 0.0_f32..=100.0);
    let spectrum = (share(), 1_u32..=6, 0.0001_f32..=100.0, window, 0_u32..=1000, share())
        .prop_map(|(weight, order, lambda, (window_size, flex_window), warmup_steps, stop)| {
            Spectrum { weight, order, lambda, window_size, flex_window, warmup_steps, stop }
        });
    prop_oneof![
        easy.prop_map(StepCache::EasyCache),
        u.prop_map(StepCache::UCache),
        db_cache().prop_map(StepCache::DbCache),
        taylor_seer().prop_map(StepCache::TaylorSeer),
        (db_cache(), taylor_seer())
            .prop_map(|(blocks, series)| StepCache::CacheDit { blocks, series }),
        spectrum.prop_map(StepCache::Spectrum),
    ]
}

pub(crate) fn hires() -> impl Strategy<Value = HiresFix> {
    let upscaler = select(HiresUpscaler::ALL);
    let size = (0.25_f32..=4.0, option::of((1_u32..=4096, 1_u32..=4096)));
    (upscaler, path(), size, option::of(2_u32..=1000), 0.25_f32..=1.0, 16_u32..=4096, sigmas())
        .prop_map(|(upscaler, model, size, steps, denoising_strength, tile_size, custom_sigmas)| {
            HiresFix {
                upscaler,
                model: (upscaler == HiresUpscaler::Model).then_some(model),
                scale: size.0,
                target_size: size.1,
                steps,
                denoising_strength,
                tile_size,
                custom_sigmas,
            }
        })
}

fn loras() -> impl Strategy<Value = Vec<Lora>> {
    let lora = (path(), -100.0_f32..=100.0, any::<bool>());
    vec(lora.prop_map(|(p, m, high)| Lora::new(p).multiplier(m).high_noise(high)), 0..3)
}

fn photo_maker() -> impl Strategy<Value = PhotoMaker> {
    (vec(rgb(), 1..3), option::of(path()), 0.0_f32..=100.0).prop_map(
        |(id_images, id_embed, style_strength)| PhotoMaker { id_images, id_embed, style_strength },
    )
}

fn size() -> impl Strategy<Value = (u32, u32)> {
    (4_u32..=4096, 4_u32..=4096)
}

/// A valid request with anything in it.
fn inpaint() -> impl Strategy<Value = Inpaint> {
    let area = prop_oneof![
        Just(InpaintArea::WholePicture),
        (0_u32..=512).prop_map(|padding| InpaintArea::OnlyMasked { padding }),
    ];
    let fill = prop_oneof![
        Just(InpaintFill::Original),
        Just(InpaintFill::Surroundings),
        Just(InpaintFill::NOTHING),
        any::<u64>().prop_map(|seed| InpaintFill::Noise { seed }),
        any::<[u8; 3]>().prop_map(InpaintFill::Color),
    ];
    (0..=Inpaint::MAX_MASK_BLUR, any::<bool>(), area, any::<bool>(), fill).prop_map(
        |(blur, invert, area, keep, fill)| {
            Inpaint::new().mask_blur(blur).invert(invert).area(area).keep_unmasked(keep).fill(fill)
        },
    )
}

fn outpaint() -> impl Strategy<Value = Outpaint> {
    let fill = prop_oneof![
        Just(OutpaintFill::Edge),
        Just(OutpaintFill::Mirror),
        any::<u64>().prop_map(|seed| OutpaintFill::Noise { seed }),
        any::<[u8; 3]>().prop_map(OutpaintFill::Color),
    ];
    (1_u32..=512, 0_u32..=512, 0_u32..=512, 0_u32..=512, 0_u32..=512, fill).prop_map(
        |(left, right, top, bottom, feather, fill)| {
            Outpaint::new(left, right, top, bottom).feather(feather).fill(fill)
        },
    )
}

pub(crate) fn image_request() -> impl Strategy<Value = ImageRequest> {
    let texts = (words(), words());
    let counts = (size(), any::<i32>(), any::<bool>(), 1..=MAX_BATCH, option::of(1_u32..=12));
    let references = (vec(rgb(), 0..3), any::<bool>(), any::<bool>());
    let control = (option::of(rgb()), 0.0_f32..=10.0);
    let tiling = (option::of(vae_tiling()), any::<bool>());
    let more = (tiling, option::of(step_cache()), option::of(hires()));
    let inputs = (init(), share(), references, control, option::of(photo_maker()));
    let around = (inpaint(), option::of(outpaint()));
    (texts, counts, sampling(), loras(), inputs, around, more).prop_map(
        |(texts, counts, sampling, loras, inputs, around, more)| {
            let ((width, height), seed, seeded, batch, clip_skip) = counts;
            let ((init_image, mask), denoising_strength, references, control, photo_maker) = inputs;
            // The one goes with a mask, the other with a picture that has none, and no second pass.
            let inpaint = if mask.is_some() { around.0 } else { Inpaint::default() };
            let alone = init_image.is_some() && mask.is_none() && more.2.is_none();
            let outpaint = around.1.filter(|_| alone);
            let person = if photo_maker.is_some() { "a man img, " } else { "" };
            ImageRequest {
                prompt: format!("{person}{}", texts.0),
                negative_prompt: texts.1,
                width,
                height,
                sampling,
                seed: seeded.then_some(seed.into()),
                batch,
                clip_skip,
                loras,
                init_image,
                denoising_strength,
                mask,
                inpaint,
                outpaint,
                reference_images: references.0,
                resize_references: references.1,
                increase_reference_index: references.2,
                control_image: control.0,
                control_strength: control.1,
                photo_maker,
                vae_tiling: more.0.0,
                vae_tiling_fallback: more.0.1,
                step_cache: more.1,
                hires: more.2,
            }
        },
    )
}

/// A valid request with anything in it.
pub(crate) fn video_request() -> impl Strategy<Value = VideoRequest> {
    let texts = (words(), words());
    let counts = ((4_u32..=512, 4_u32..=512), 3..=2000_u32, 1_u32..=240, any::<Option<i32>>());
    let images = (option::of(rgb()), option::of(rgb()), vec(rgb(), 0..3), share(), 0.0_f32..=10.0);
    let clip_skip = option::of(1_u32..=12);
    let noise = (sampling(), high_noise(), share());
    let hires = option::of((path(), hires()).prop_map(|(model, fix)| fix.model(model)));
    let tiling = (option::of(vae_tiling()), any::<bool>());
    let more = (tiling, option::of(step_cache()), hires);
    (texts, counts, noise, clip_skip, loras(), images, more).prop_map(
        |(texts, counts, noise, clip_skip, loras, images, more)| VideoRequest {
            prompt: texts.0,
            negative_prompt: texts.1,
            width: counts.0.0,
            height: counts.0.1,
            frames: counts.1,
            fps: counts.2,
            sampling: noise.0,
            high_noise: noise.1,
            moe_boundary: noise.2,
            seed: counts.3.map(i64::from),
            clip_skip,
            loras,
            init_image: images.0,
            end_image: images.1,
            conditioning_strength: images.3,
            control_frames: images.2,
            vace_strength: images.4,
            vae_tiling: more.0.0,
            vae_tiling_fallback: more.0.1,
            step_cache: more.1,
            hires: more.2,
        },
    )
}
