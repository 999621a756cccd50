//! The autoencoders of videos: the tiny one (`tae.hpp`) and Wan's (`wan_vae.hpp`).

use super::{Graph, Tensor, layers::Ways};

/// The tiny autoencoder of videos.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TinyVideo {
    /// Channels of the latent video.
    pub(crate) latent: f64,
    /// Side of the squares of pixels that it sees as one.
    pub(crate) patch: f64,
    /// Whether each of the three levels doubles the frames when decoding.
    pub(crate) grows: [bool; 3],
}

impl TinyVideo {
    /// Decoding latent frames into pictures of so many pixels.
    pub(crate) fn decode(&self, ways: Ways, pixels: f64, frames: f64) -> Graph {
        const WIDTHS: [f64; 4] = [256.0, 128.0, 64.0, 64.0];
        let mut graph = Graph::default();
        let g = &mut graph;
        let mut area = pixels / (self.patch * self.patch) / 64.0 * frames;
        let input = g.input(area * self.latent);
        let mut x = g.copy(input);
        x = g.conv(ways, x, 9.0, area, [self.latent, WIDTHS[0]]);
        for (level, (width, next)) in WIDTHS.iter().zip(WIDTHS.iter().skip(1)).enumerate() {
            for _ in 0..3 {
                x = memory_block(g, ways, x, area, *width);
            }
            area *= 4.0;
            x = g.f32(area * width, [x]);
            let grows = self.grows.get(level).is_some_and(|grows| *grows);
            let factor = if grows { 2.0 } else { 1.0 };
            x = g.conv_without_bias(ways, x, 1.0, area, [*width, width * factor]);
            area *= factor;
            x = g.conv_without_bias(ways, x, 9.0, area, [*width, *next]);
        }
        let outputs = 3.0 * self.patch * self.patch;
        x = g.conv(ways, x, 9.0, area, [64.0, outputs]);
        x = g.copy(x);
        g.output(x);
        graph
    }

    /// Encoding frames of so many pixels.
    pub(crate) fn encode(&self, ways: Ways, pixels: f64, frames: f64) -> Graph {
        const WIDTH: f64 = 64.0;
        let mut graph = Graph::default();
        let g = &mut graph;
        let shrink = self.grows.iter().filter(|grows| **grows).count();
        let together = f64::from(1 << shrink);
        let frames = (frames / together).ceil() * together;
        let mut area = pixels / (self.patch * self.patch) * frames;
        let channels = 3.0 * self.patch * self.patch;
        let input = g.input(area * channels);
        let mut x = g.copy(input);
        x = g.conv(ways, x, 9.0, area, [channels, WIDTH]);
        for grows in self.grows.iter().rev() {
            let factor = if *grows { 2.0 } else { 1.0 };
            area /= factor;
            x = g.conv_without_bias(ways, x, 1.0, area, [WIDTH * factor, WIDTH]);
            area /= 4.0;
            x = g.conv_without_bias(ways, x, 9.0, area, [WIDTH, WIDTH]);
            for _ in 0..3 {
                x = memory_block(g, ways, x, area, WIDTH);
            }
        }
        x = g.conv(ways, x, 9.0, area, [WIDTH, self.latent]);
        g.output(x);
        graph
    }
}

/// A block that sees the frame before, too.
fn memory_block(g: &mut Graph, ways: Ways, x: Tensor, area: f64, width: f64) -> Tensor {
    let past = g.copy(x);
    let past = g.part(past, area * width);
    let both = g.f32(2.0 * area * width, [x, past]);
    let mut h = g.conv(ways, both, 9.0, area, [2.0 * width, width]);
    for _ in 0..2 {
        h = g.conv(ways, h, 9.0, area, [width, width]);
    }
    // Added in place.
    g.in_place_of([h, x])
}
