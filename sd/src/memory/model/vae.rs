//! What turns a picture into a latent one and back.

use super::{
    super::graph::{
        Graph,
        autoencoder::{Vae, tiny_decode, tiny_encode},
        layers::Ways,
        video_autoencoder::{TinyVideo, WanVae},
    },
    tensors::Tensors,
};
use crate::{Architecture, Component, ModelConfig, VaeTiling};

/// The decoder and encoder that a model uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decoder {
    kind: Kind,
    /// Pixels to a side of a latent pixel.
    factor: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The model draws pixels.
    None,
    Vae(Vae),
    Tiny(f64),
    TinyVideo(TinyVideo),
    Wan(WanVae),
    /// LTX-2's, as far as its last level goes.
    Ltx,
}

/// Width, height and frames of what is decoded or encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frames {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Frames of the video; 1 for a picture.
    pub(crate) count: f64,
}

impl Frames {
    /// Pixels of one.
    pub(crate) fn pixels(self) -> f64 {
        self.width * self.height
    }
}

impl Decoder {
    pub(super) fn of(
        architecture: Architecture,
        config: &ModelConfig,
        tensors: &Tensors<'_>,
    ) -> Self {
        use Architecture as A;
        let second = matches!(
            architecture,
            A::Flux2 | A::Flux2Klein | A::ErnieImage | A::Lens | A::Ideogram4
        );
        let tiny = config.taesd.is_some() && !config.taesd_preview_only
            || architecture.uses_built_in_taesd();
        let video = architecture.is_wan() || matches!(architecture, A::QwenImage | A::Anima);
        let ti2v = architecture == A::Wan22Ti2v;
        let latent = if architecture.is_unet() {
            4.0
        } else if second {
            32.0
        } else {
            16.0
        };
        let kind = match architecture {
            A::ChromaRadiance | A::HiDreamO1 => Kind::None,
            A::Ltx2 if tiny => {
                Kind::TinyVideo(TinyVideo { latent: 128.0, patch: 4.0, grows: [true; 3] })
            }
            A::Ltx2 => Kind::Ltx,
            _ if video && tiny => Kind::TinyVideo(TinyVideo {
                latent: if ti2v { 48.0 } else { 16.0 },
                patch: if ti2v { 2.0 } else { 1.0 },
                grows: [false, true, true],
            }),
            _ if video => Kind::Wan(WanVae {
                width: if ti2v { 256.0 } else { 96.0 },
                latent: if ti2v { 48.0 } else { 16.0 },
                patch: if ti2v { 2.0 } else { 1.0 },
            }),
            _ if tiny => Kind::Tiny(latent),
            _ => Kind::Vae(Vae {
                decoder_width: tensors
                    .dimension(Component::Vae, "decoder.conv_in.weight", 0)
                    .map_or(128.0, |width| width / 4.0),
                latent,
            }),
        };
        let factor = match architecture {
            A::Ltx2 => 32.0,
            A::ChromaRadiance | A::HiDreamO1 => 1.0,
            _ if second || ti2v => 16.0,
            _ => 8.0,
        };
        Self { kind, factor }
    }

    /// Latent frames of so many.
    pub(crate) fn latent_frames(&self, frames: f64) -> f64 {
        let together = if self.factor == 32.0 { 8.0 } else { 4.0 };
        1.0 + ((frames - 1.0) / together).floor().max(0.0)
    }

    /// The graph of decoding, in tiles if they are asked for.
    pub(crate) fn decode(&self, ways: Ways, whole: Frames, tiling: Option<&VaeTiling>) -> Graph {
        let pixels = self.tile(whole, tiling, 1.0);
        let latent = self.latent_frames(whole.count);
        match self.kind {
            Kind::None => Graph::default(),
            Kind::Vae(vae) => vae.decode(ways, pixels),
            Kind::Tiny(channels) => tiny_decode(ways, pixels, channels),
            Kind::TinyVideo(tiny) => tiny.decode(ways, pixels, latent),
            Kind::Wan(wan) => wan.decode(pixels, latent),
            Kind::Ltx => last_level_of_ltx(pixels, whole.count),
        }
    }

    /// The graph of encoding, in tiles if they are asked for.
    pub(crate) fn encode(&self, ways: Ways, whole: Frames, tiling: Option<&VaeTiling>) -> Graph {
        /// How much larger the engine's tiles are when it encodes.
        const LARGER: f64 = 1.30539;
        let pixels = self.tile(whole, tiling, LARGER);
        match self.kind {
            Kind::None => Graph::default(),
            Kind::Vae(vae) => vae.encode(ways, pixels),
            Kind::Tiny(channels) => tiny_encode(ways, pixels, channels),
            Kind::TinyVideo(tiny) => tiny.encode(ways, pixels, whole.count),
            Kind::Wan(wan) => wan.encode(pixels, whole.count),
            Kind::Ltx => last_level_of_ltx(pixels, whole.count),
        }
    }

    /// Pixels that are worked on at once (`get_tile_sizes`).
    fn tile(&self, whole: Frames, tiling: Option<&VaeTiling>, larger: f64) -> f64 {
        const LEAST: f64 = 4.0;
        let Some(tiling) = tiling else { return whole.pixels() };
        let overlap = f64::from(tiling.overlap);
        let side = |asked: u32, relative: Option<f32>, pixels: f64| {
            let latent = (pixels / self.factor).floor();
            let size = match relative.map(f64::from) {
                Some(tiles) if tiles > 1.0 => latent / (tiles - tiles * overlap + overlap),
                Some(share) => latent * share,
                None => f64::from(asked),
            };
            (size.round() * larger).floor().min(latent).max(LEAST) * self.factor
        };
        let (x, y) = tiling.relative_size.unzip();
        side(tiling.tile_size.0, x, whole.width) * side(tiling.tile_size.1, y, whole.height)
    }
}

/// The convolutions with the most pixels, which the others stay below.
fn last_level_of_ltx(pixels: f64, frames: f64) -> Graph {
    const WIDTH: f64 = 128.0;
    const PATCH: f64 = 4.0;
    let mut graph = Graph::default();
    let area = pixels / (PATCH * PATCH) * frames;
    let x = graph.input(area * WIDTH);
    let padded = graph.copy(x);
    let out = graph.conv(Ways::default(), padded, 27.0, area, [WIDTH, WIDTH]);
    let out = graph.by_element([out, x]);
    graph.output(out);
    graph
}
