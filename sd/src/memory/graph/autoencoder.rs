//! The autoencoders of pictures: the VAE of SD, SDXL, SD3 and FLUX (`auto_encoder_kl.hpp`), and
//! TAESD (`tae.hpp`).

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
};

/// Channels of each level of the VAE, in multiples of its width.
const MULTIPLES: [f64; 4] = [1.0, 2.0, 4.0, 4.0];
/// Blocks to a level of the encoder; the decoder has one more.
const BLOCKS: usize = 2;
/// Channels of TAESD.
const TINY: f64 = 64.0;

/// The VAE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Vae {
    /// Channels of the decoder's level with the most pixels; the encoder's is 128.
    pub(crate) decoder_width: f64,
    /// Channels of the latent picture as the VAE has it.
    pub(crate) latent: f64,
}

impl Vae {
    /// Decoding into a picture of so many pixels.
    pub(crate) fn decode(&self, ways: Ways, pixels: f64) -> Graph {
        let mut graph = Graph::default();
        let mut area = pixels / 64.0;
        let mut width = self.decoder_width * MULTIPLES[3];
        let latent = graph.input(area * self.latent);
        let latent = graph.conv(ways, latent, 1.0, area, [self.latent, self.latent]);
        let mut x = graph.conv(ways, latent, 9.0, area, [self.latent, width]);
        x = middle(&mut graph, ways, x, area, width);
        for (level, multiple) in MULTIPLES.iter().enumerate().rev() {
            for _ in 0..=BLOCKS {
                let outputs = self.decoder_width * multiple;
                x = residual(&mut graph, ways, x, area, [width, outputs]);
                width = outputs;
            }
            if level > 0 {
                area *= 4.0;
                x = graph.f32(area * width, [x]);
                x = graph.conv(ways, x, 9.0, area, [width, width]);
            }
        }
        x = graph.norm(x);
        x = graph.conv(ways, x, 9.0, area, [width, 3.0]);
        graph.output(x);
        graph
    }

    /// Encoding a picture of so many pixels.
    pub(crate) fn encode(&self, ways: Ways, pixels: f64) -> Graph {
        const WIDTH: f64 = 128.0;
        let mut graph = Graph::default();
        let (mut area, mut width) = (pixels, WIDTH);
        let picture = graph.input(area * 3.0);
        let mut x = graph.conv(ways, picture, 9.0, area, [3.0, width]);
        for (level, multiple) in MULTIPLES.iter().enumerate() {
            for _ in 0..BLOCKS {
                x = residual(&mut graph, ways, x, area, [width, WIDTH * multiple]);
                width = WIDTH * multiple;
            }
            if level + 1 < MULTIPLES.len() {
                // A row and a column more.
                let padded = area + 2.0 * area.sqrt() + 1.0;
                x = graph.f32(padded * width, [x]);
                area /= 4.0;
                x = graph.conv(ways, x, 9.0, area, [width, width]);
            }
        }
        x = middle(&mut graph, ways, x, area, width);
        x = graph.norm(x);
        x = graph.conv(ways, x, 9.0, area, [width, 2.0 * self.latent]);
        x = graph.conv(ways, x, 1.0, area, [2.0 * self.latent, 2.0 * self.latent]);
        graph.output(x);
        graph
    }
}

fn residual(
    graph: &mut Graph,
    ways: Ways,
    x: Tensor,
    area: f64,
    [inputs, outputs]: [f64; 2],
) -> Tensor {
    let mut h = graph.norm(x);
    h = graph.conv(ways, h, 9.0, area, [inputs, outputs]);
    h = graph.norm(h);
    h = graph.conv(ways, h, 9.0, area, [outputs, outputs]);
    let x = if inputs == outputs { x } else { graph.conv(ways, x, 1.0, area, [inputs, outputs]) };
    graph.by_element([h, x])
}

fn middle(graph: &mut Graph, ways: Ways, x: Tensor, area: f64, width: f64) -> Tensor {
    let x = residual(graph, ways, x, area, [width, width]);
    let normed = graph.norm(x);
    let [q, k, v] = [(); 3].map(|()| {
        let projected = graph.conv(ways, normed, 1.0, area, [width, width]);
        graph.copy(projected)
    });
    let heads = Heads { queries: area, keys: area, width, count: 1.0 };
    // One head: queries and keys lie by heads already.
    let h = graph.attention_of_heads(ways, heads, [q, k, v]);
    let h = graph.copy(h);
    let h = graph.conv(ways, h, 1.0, area, [width, width]);
    let x = graph.by_element([h, x]);
    residual(graph, ways, x, area, [width, width])
}

/// TAESD, decoding into a picture of so many pixels.
pub(crate) fn tiny_decode(ways: Ways, pixels: f64, latent: f64) -> Graph {
    let mut graph = Graph::default();
    let mut area = pixels / 64.0;
    let input = graph.input(area * latent);
    let squashed = graph.by_element([input]);
    let mut x = graph.conv(ways, squashed, 9.0, area, [latent, TINY]);
    for _ in 0..3 {
        for _ in 0..3 {
            x = tiny_block(&mut graph, ways, x, area);
        }
        area *= 4.0;
        x = graph.f32(area * TINY, [x]);
        x = graph.conv_without_bias(ways, x, 9.0, area, [TINY, TINY]);
    }
    x = tiny_block(&mut graph, ways, x, area);
    x = graph.conv(ways, x, 9.0, area, [TINY, 3.0]);
    graph.output(x);
    graph
}

/// TAESD, encoding a picture of so many pixels.
pub(crate) fn tiny_encode(ways: Ways, pixels: f64, latent: f64) -> Graph {
    let mut graph = Graph::default();
    let mut area = pixels;
    let picture = graph.input(area * 3.0);
    let mut x = graph.conv(ways, picture, 9.0, area, [3.0, TINY]);
    x = tiny_block(&mut graph, ways, x, area);
    for _ in 0..3 {
        area /= 4.0;
        x = graph.conv_without_bias(ways, x, 9.0, area, [TINY, TINY]);
        for _ in 0..3 {
            x = tiny_block(&mut graph, ways, x, area);
        }
    }
    x = graph.conv(ways, x, 9.0, area, [TINY, latent]);
    graph.output(x);
    graph
}

fn tiny_block(graph: &mut Graph, ways: Ways, x: Tensor, area: f64) -> Tensor {
    let mut h = x;
    for _ in 0..3 {
        h = graph.conv(ways, h, 9.0, area, [TINY, TINY]);
    }
    let sum = graph.by_element([h, x]);
    graph.in_place(sum)
}
