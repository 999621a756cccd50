//! Pictures to be written: as of a camera, of the demo model, and noise.

use crate::{
    Outcome,
    models::{demo, demo_picture},
};
use image::{Rgb, RgbImage, imageops};
use sdcpp::Context;

/// A name and a picture, of each kind and size.
pub(crate) fn all() -> Outcome<Vec<(String, RgbImage)>> {
    let drawn = Context::new(demo())?.generate(&demo_picture())?;
    let drawn = drawn.first().ok_or("no picture")?.to_rgb();
    let mut pictures = Vec::new();
    for side in [512, 1024] {
        let large = imageops::resize(&drawn, side, side, imageops::FilterType::CatmullRom);
        pictures.push((format!("photo-like, {side}²"), photo(side)));
        pictures.push((format!("demo, {side}²"), large));
        pictures.push((format!("noise, {side}²"), noise(side)));
    }
    Ok(pictures)
}

fn noise(side: u32) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(1);
    let mut picture = RgbImage::new(side, side);
    random.fill(&mut picture);
    picture
}

/// Like a photograph in what a compressor sees: broad forms, finer and fainter ones in them, edges, and
/// the grain of a sensor.
fn photo(side: u32) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(2);
    let size = f64::from(side);
    // Waves of each channel: finer ones are fainter, as in natural pictures.
    let waves: Vec<[f64; 5]> = (0..60)
        .map(|_| {
            let frequency = 2.0_f64.powf(random.f64() * 7.0);
            let angle = random.f64() * std::f64::consts::TAU;
            let phase = random.f64() * std::f64::consts::TAU;
            let strength = 60.0 / frequency;
            [frequency * angle.cos(), frequency * angle.sin(), phase, strength, random.f64()]
        })
        .collect();
    let discs: Vec<[f64; 4]> = (0..12)
        .map(|_| {
            [random.f64(), random.f64(), 0.03 + random.f64() * 0.12, random.f64() * 80.0 - 40.0]
        })
        .collect();
    RgbImage::from_fn(side, side, |x, y| {
        let (u, v) = (f64::from(x) / size, f64::from(y) / size);
        let wave: f64 = waves
            .iter()
            .map(|[a, b, phase, strength, _]| {
                strength * ((a * u + b * v) * std::f64::consts::TAU + phase).sin()
            })
            .sum();
        let disc: f64 = discs
            .iter()
            .filter(|[cx, cy, radius, _]| (u - cx).hypot(v - cy) < *radius)
            .map(|[.., brighter]| brighter)
            .sum();
        let light = 120.0 + wave + disc;
        let mut channel = |tint: f64| {
            // The grain of a sensor: about two values.
            let grain = (random.f64() + random.f64() + random.f64() - 1.5) * 3.0;
            (light * tint + grain).clamp(0.0, 255.0) as u8
        };
        Rgb([channel(1.05), channel(1.0), channel(0.9)])
    })
}
