//! What the engine says in its log about the memory of a call, beside the estimate for it.

use super::Log;
use sdcpp::{Context, Error, ImageRequest, MemoryEstimate, ModelConfig, VideoRequest};

/// Bytes of the engine's parts, from its log.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) weights: u64,
    pub(crate) text_encoding: u64,
    pub(crate) vae_encode: u64,
    pub(crate) sampling: u64,
    pub(crate) vae_decode: u64,
}

impl Measured {
    /// From the lines of a context that drew once.
    fn of(log: &str) -> Self {
        let mut measured = Self::default();
        for line in log.lines() {
            if line.contains("total params memory size") {
                // The VAE counts its encoder, which is loaded when it is needed.
                let of = |part: &str| megabytes(line.split(part).nth(1));
                measured.weights =
                    of("text_encoders ") + of("diffusion_model ") + of("controlnet ");
            }
            let Some((before, after)) = line.split_once(" compute buffer size: ") else { continue };
            let name = before.split(" - ").last().unwrap_or_default();
            let bytes = megabytes(Some(after));
            let vae = ["taesd", "taehv", "vae", "wan_vae"].contains(&name);
            let text =
                ["clip", "t5", "qwen3", "qwen2.5vl", "gemma", "mistral", "ministral", "ltxav_text"];
            let part = if vae && measured.sampling == 0 {
                &mut measured.vae_encode
            } else if vae {
                &mut measured.vae_decode
            } else if text.iter().any(|start| name.starts_with(start)) {
                &mut measured.text_encoding
            } else if name.contains("audio") {
                continue;
            } else {
                &mut measured.sampling
            };
            *part = bytes.max(*part);
        }
        measured
    }

    /// Weights and the largest buffer.
    pub(crate) fn peak(&self) -> u64 {
        let buffers = [self.text_encoding, self.vae_encode, self.sampling, self.vae_decode];
        self.weights + buffers.into_iter().max().unwrap()
    }
}

/// `1.50MB(RAM)` or `1.50 MB(RAM)`.
fn megabytes(text: Option<&str>) -> u64 {
    let text = text.unwrap_or_default();
    let number = text.split("MB").next().unwrap_or_default().trim();
    (number.parse::<f64>().unwrap_or(0.0) * f64::from(1 << 20)) as u64
}

/// Draws with a new context, and keeps what the engine says.
fn measure(run: impl FnOnce() -> Result<(), Error>) -> Measured {
    let log = Log::default();
    tracing::subscriber::with_default(log.subscriber(), run).unwrap();
    Measured::of(&log.text())
}

/// Measures a picture.
pub(crate) fn picture(config: &ModelConfig, request: &ImageRequest) -> Measured {
    measure(|| Context::new(config)?.generate(request).map(drop))
}

/// Measures a video.
pub(crate) fn video(config: &ModelConfig, request: &VideoRequest) -> Measured {
    measure(|| Context::new(config)?.generate_video(request).map(drop))
}

/// Prints both as a row of a table, and gives how far the estimate of the peak, of sampling and of
/// decoding are from what was measured, as ratios.
pub(crate) fn row(name: &str, estimate: &MemoryEstimate, measured: &Measured) -> [f64; 3] {
    let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    // Of the VAE's weights the log tells the sum with the encoder's, of CLIP's picture encoder
    // nothing: left out on both sides.
    let weights: u64 = estimate
        .weights
        .iter()
        .filter(|part| {
            !matches!(
                part.component,
                sdcpp::Component::Vae
                    | sdcpp::Component::Taesd
                    | sdcpp::Component::AudioVae
                    | sdcpp::Component::TextEncoder(sdcpp::TextEncoder::ClipVision)
            )
        })
        .map(|part| part.allocated + part.mapped)
        .sum();
    let pairs = [
        (weights, measured.weights),
        (estimate.text_encoding, measured.text_encoding),
        (estimate.vae_encode, measured.vae_encode),
        (estimate.sampling, measured.sampling),
        (estimate.vae_decode, measured.vae_decode),
        (weights + estimate.compute(), measured.peak()),
    ];
    let cells =
        pairs.map(|(estimated, measured)| format!("{:.2} / {:.2}", mb(estimated), mb(measured)));
    println!("| {name} | {} |", cells.join(" | "));
    let ratio = |(estimated, measured): (u64, u64)| {
        if measured == 0 && estimated == 0 { 1.0 } else { estimated as f64 / measured as f64 }
    };
    [ratio(pairs[5]), ratio(pairs[3]), ratio(pairs[4])]
}
