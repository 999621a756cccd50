//! Requests and model files as nobody would make them on purpose.

use fastrand::Rng;
use sdcpp::{
    HiresFix, ImageRequest, Inpaint, Lora, Outpaint, Sampler, Scheduler, SkipLayers, StepCache,
    VaeTiling,
};
use std::{fs, io, path::Path};

/// Numbers that checks are written for, and some that they might forget.
fn wild(rng: &mut Rng) -> f32 {
    const WILD: [f32; 12] = [
        0.0,
        -0.0,
        -1.0,
        0.5,
        1.0,
        2.0,
        1e9,
        -1e9,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::NAN,
        f32::INFINITY,
    ];
    match rng.u8(0..3) {
        0 => rng.f32(),
        1 => rng.f32() * 20.0 - 5.0,
        _ => WILD[rng.usize(..WILD.len())],
    }
}

fn wild_whole(rng: &mut Rng) -> u32 {
    match rng.u8(0..4) {
        0 => rng.u32(0..4),
        1 => rng.u32(0..100),
        2 => rng.u32(..),
        _ => [0, 1, 7, 8, 63, 65, 16_384, 16_385, u32::MAX][rng.usize(..9)],
    }
}

fn text(rng: &mut Rng) -> String {
    const PIECES: [&str; 20] = [
        "a cat",
        "(",
        ")",
        "((",
        "[",
        "]",
        ":1.2)",
        ":-3)",
        ":1e39)",
        ":.)",
        "\\(",
        "BREAK",
        "AND",
        "(a:1.1)",
        "red",
        "\u{1f408}",
        "%s%n",
        "%s%n",
        ", ",
        "\n",
    ];
    let pieces = rng.usize(0..12);
    let mut text: String = (0..pieces).map(|_| PIECES[rng.usize(..PIECES.len())]).collect();
    if rng.u8(0..40) == 0 {
        text.push('\0');
    }
    if rng.u8(0..40) == 0 {
        text = text.repeat(rng.usize(0..4000));
    }
    text
}

fn size(rng: &mut Rng) -> u32 {
    // Mostly what is drawn in milliseconds.
    if rng.u8(0..16) == 0 { wild_whole(rng) } else { 32 }
}

fn picture(rng: &mut Rng) -> image::RgbImage {
    let side = |rng: &mut Rng| [0, 1, 3, 64, 65, 200][rng.usize(..6)];
    image::RgbImage::from_fn(side(rng), side(rng), |x, y| {
        image::Rgb([(x * 3) as u8, (y * 5) as u8, (x ^ y) as u8])
    })
}

fn mask(rng: &mut Rng) -> image::GrayImage {
    let side = |rng: &mut Rng| [0, 1, 64, 65][rng.usize(..4)];
    image::GrayImage::from_fn(side(rng), side(rng), |x, y| image::Luma([((x ^ y) * 8) as u8]))
}

/// A request for a small picture with up to three fields set to anything.
pub(crate) fn request(rng: &mut Rng) -> ImageRequest {
    let mut request = ImageRequest::new(text(rng))
        .size(size(rng), size(rng))
        .steps(rng.u32(1..3))
        .cfg_scale([1.0, 3.0][rng.usize(..2)])
        .seed(rng.i64(0..1000));
    for _ in 0..rng.u8(0..4) {
        change(rng, &mut request);
    }
    // A request that would take minutes is no hostile one.
    request.sampling.steps = if rng.u8(0..8) == 0 { request.sampling.steps } else { 1 };
    if request.sampling.steps <= sdcpp::MAX_STEPS {
        request.sampling.steps = request.sampling.steps.min(3);
    }
    if request.batch <= sdcpp::MAX_BATCH {
        request.batch = request.batch.min(2);
    }
    if let Some(hires) = &mut request.hires {
        hires.scale = if hires.scale > 2.0 && hires.scale <= 16.0 { 2.0 } else { hires.scale };
        hires.steps = hires.steps.map(|steps| if steps <= 1000 { steps.min(2) } else { steps });
        hires.target_size = None;
    }
    let sides = [&mut request.width, &mut request.height];
    for side in sides {
        *side = if *side > 256 && *side <= sdcpp::MAX_SIDE { 128 } else { *side };
    }
    request
}

fn change(rng: &mut Rng, request: &mut ImageRequest) {
    match rng.u8(0..26) {
        0 => request.negative_prompt = text(rng),
        1 => request.sampling.steps = wild_whole(rng),
        2 => request.sampling.cfg_scale = wild(rng),
        3 => request.sampling.image_cfg_scale = Some(wild(rng)),
        4 => request.sampling.distilled_guidance = wild(rng),
        5 => request.sampling.sampler = Some(Sampler::ALL[rng.usize(..Sampler::ALL.len())]),
        6 => request.sampling.scheduler = Some(Scheduler::ALL[rng.usize(..Scheduler::ALL.len())]),
        7 => request.sampling.eta = Some(wild(rng)),
        8 => request.sampling.flow_shift = Some(wild(rng)),
        9 => request.sampling.shifted_timestep = wild_whole(rng),
        10 => request.sampling.custom_sigmas = (0..rng.usize(0..5)).map(|_| wild(rng)).collect(),
        11 => request.sampling.extra_sample_args = Some(text(rng)),
        12 => request.seed = Some(rng.i64(..)),
        13 => request.batch = wild_whole(rng),
        14 => request.clip_skip = Some(wild_whole(rng)),
        15 => {
            let mut lora = Lora::new(text(rng));
            lora.multiplier = wild(rng);
            request.loras = vec![lora];
        }
        16 => request.init_image = Some(picture(rng)),
        17 => request.denoising_strength = wild(rng),
        18 => {
            request.init_image = Some(picture(rng));
            request.mask = Some(mask(rng));
        }
        19 => {
            let mut inpaint = Inpaint::new();
            inpaint.mask_blur = wild_whole(rng);
            inpaint.invert = rng.bool();
            request.inpaint = inpaint;
        }
        20 => {
            let mut side = || wild_whole(rng).min(20_000);
            request.outpaint = Some(Outpaint::new(side(), side(), side(), side()));
        }
        21 => request.reference_images = (0..rng.usize(0..3)).map(|_| picture(rng)).collect(),
        22 => {
            request.control_image = Some(picture(rng));
            request.control_strength = wild(rng);
        }
        23 => {
            let mut tiling = VaeTiling::with_tile_size(wild_whole(rng), wild_whole(rng));
            tiling.overlap = wild(rng);
            request.vae_tiling = Some(tiling);
        }
        24 => {
            let mut skip = SkipLayers::new([wild_whole(rng)]);
            skip.scale = wild(rng);
            request.sampling.skip_layers = Some(skip);
            request.step_cache = Some(StepCache::UCache(Default::default()));
        }
        _ => {
            let mut hires = HiresFix::scaled_by(wild(rng));
            hires.steps = Some(wild_whole(rng));
            hires.denoising_strength = wild(rng);
            request.hires = Some(hires);
        }
    }
}

/// A copy of a model file with some damage: most of it in the header, where it matters most.
pub(crate) fn damaged(rng: &mut Rng, model: &[u8], header: usize, to: &Path) -> io::Result<()> {
    let mut bytes = model.to_vec();
    match rng.u8(0..10) {
        0 => bytes.truncate(rng.usize(0..=bytes.len())),
        1 => bytes.truncate(rng.usize(0..=header.min(bytes.len()))),
        2 => {
            let at = rng.usize(0..=header.min(bytes.len()));
            let end = (at + rng.usize(1..64)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
        3 | 5 | 6 => {
            let at = rng.usize(header..bytes.len());
            let end = (at + rng.usize(1..100_000)).min(bytes.len());
            bytes[at..end].iter_mut().for_each(|byte| *byte = rng.u8(..));
        }
        4 => {
            // A number of the header becomes another.
            let at = rng.usize(0..header.saturating_sub(8));
            let number: u64 =
                [0, 1, 0xff, 1 << 31, 1 << 40, i64::MAX as u64, u64::MAX][rng.usize(..7)];
            let width = [1, 2, 4, 8][rng.usize(..4)];
            bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        }
        _ => {
            for _ in 0..rng.usize(1..20) {
                let at = rng.usize(0..header);
                bytes[at] = if rng.bool() { rng.u8(..) } else { bytes[at] ^ (1 << rng.u8(0..8)) };
            }
        }
    }
    fs::write(to, bytes)
}
