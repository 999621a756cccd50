//! The autoencoders of videos: the tiny one (`tae.hpp`) and Wan's (`wan_vae.hpp`).

use super::{
    Graph, Tensor,
    layers::{Heads, Ways},
};

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

/// Wan's autoencoder, which goes through a video in chunks, and keeps the last frames of each layer
/// for the next chunk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WanVae {
    /// Channels of the level with the most pixels.
    pub(crate) width: f64,
    /// Channels of the latent video.
    pub(crate) latent: f64,
    /// Side of the squares of pixels that it sees as one.
    pub(crate) patch: f64,
}

/// Channels of each level of Wan's autoencoder, in multiples of its width.
const LEVELS: [f64; 4] = [1.0, 2.0, 4.0, 4.0];
/// Frames that a layer keeps.
const KEPT: f64 = 2.0;
/// Chunks that are worked out: the next ones need the same memory again.
const CHUNKS: usize = 3;

impl WanVae {
    /// Decoding latent frames into pictures of so many pixels.
    pub(crate) fn decode(&self, pixels: f64, frames: f64) -> Graph {
        let small = pixels / (self.patch * self.patch) / 64.0;
        let mut chunks = Chunks::default();
        let input = chunks.graph.input(small * frames * self.latent);
        let input = chunks.graph.copy(input);
        let mut whole = None;
        for chunk in 0..(frames as usize).clamp(1, CHUNKS) {
            chunks.begin();
            let latent = chunks.graph.part(input, small * self.latent);
            let mut x = chunks.graph.f32(small * self.latent, [latent]);
            let mut video = Video { area: small, frames: 1.0 };
            let mut width = self.width * LEVELS[3];
            x = chunks.conv(x, video, 27.0, [self.latent, width]);
            x = chunks.middle(x, video, width);
            for (level, multiple) in LEVELS.iter().enumerate().rev() {
                for _ in 0..3 {
                    x = chunks.residual(x, video, [width, self.width * multiple]);
                    width = self.width * multiple;
                }
                if level > 0 {
                    // Twice the frames on two of the levels, from the second chunk on.
                    if level > 1 && chunk > 0 {
                        x = chunks.conv(x, video, 3.0, [width, 2.0 * width]);
                        video.frames *= 2.0;
                        x = chunks.graph.copy(x);
                    }
                    video.area *= 4.0;
                    // Wan 2.1 has half the channels behind it.
                    let next = if self.patch > 1.0 { width } else { width / 2.0 };
                    x = chunks.resampled(x, video, [width, next]);
                    width = next;
                }
            }
            x = chunks.normed(x);
            x = chunks.conv(x, video, 27.0, [width, 3.0 * self.patch * self.patch]);
            whole = Some(chunks.appended(whole, x));
        }
        chunks.finish(whole, 3.0 * pixels * (4.0 * frames - 3.0).max(1.0))
    }

    /// Encoding so many frames of so many pixels.
    pub(crate) fn encode(&self, pixels: f64, frames: f64) -> Graph {
        let area = pixels / (self.patch * self.patch);
        let channels = 3.0 * self.patch * self.patch;
        let mut chunks = Chunks::default();
        let input = chunks.graph.input(area * frames * channels);
        let mut whole = None;
        let count = 1.0 + ((frames - 1.0) / 4.0).floor();
        for chunk in 0..(count as usize).clamp(1, CHUNKS) {
            chunks.begin();
            let mut video = Video { area, frames: if chunk == 0 { 1.0 } else { 4.0 } };
            let part = chunks.graph.part(input, video.size() * channels);
            let mut x = chunks.graph.f32(video.size() * channels, [part]);
            let mut width = self.width;
            x = chunks.conv(x, video, 27.0, [channels, width]);
            for (level, multiple) in LEVELS.iter().enumerate() {
                for _ in 0..2 {
                    x = chunks.residual(x, video, [width, self.width * multiple]);
                    width = self.width * multiple;
                }
                if level + 1 < LEVELS.len() {
                    let padded = chunks.graph.copy(x);
                    video.area /= 4.0;
                    x = chunks.resampled(padded, video, [width, width]);
                    if level > 0 && chunk > 0 {
                        video.frames = (video.frames / 2.0).max(1.0);
                        x = chunks.conv(x, video, 3.0, [width, width]);
                    }
                }
            }
            x = chunks.middle(x, video, width);
            x = chunks.normed(x);
            x = chunks.conv(x, video, 27.0, [width, 2.0 * self.latent]);
            whole = Some(chunks.appended(whole, x));
        }
        chunks.finish(whole, 0.0)
    }
}

/// The pixels of a frame, and frames.
#[derive(Debug, Clone, Copy)]
struct Video {
    area: f64,
    frames: f64,
}

impl Video {
    fn size(self) -> f64 {
        self.area * self.frames
    }
}

/// A graph that goes through the same layers once for each chunk.
#[derive(Default)]
struct Chunks {
    graph: Graph,
    kept: Vec<Tensor>,
    next: usize,
}

impl Chunks {
    fn begin(&mut self) {
        self.next = 0;
    }

    /// A convolution over time, which keeps its last frames and sees those of the chunk before.
    fn conv(&mut self, x: Tensor, video: Video, taps: f64, [inputs, outputs]: [f64; 2]) -> Tensor {
        let g = &mut self.graph;
        let last = g.part(x, video.area * KEPT * inputs);
        let last = g.f32(video.area * KEPT * inputs, [last]);
        let before = match self.kept.get_mut(self.next) {
            Some(kept) => Some(std::mem::replace(kept, last)),
            None => {
                self.kept.push(last);
                None
            }
        };
        self.next += 1;
        let frames = video.frames + KEPT;
        let mut x = x;
        if let Some(before) = before {
            x = g.f32(video.area * frames * inputs, [before, x]);
        }
        let side = video.area.sqrt() + 2.0;
        x = g.f32(side * side * frames * inputs, [x]);
        // Never direct.
        g.conv(Ways::default(), x, taps, video.size(), [inputs, outputs])
    }

    /// An RMS norm over channels, for which they are brought together, and an activation.
    fn normed(&mut self, x: Tensor) -> Tensor {
        let g = &mut self.graph;
        let x = g.copy(x);
        let x = g.by_element([x]);
        let x = g.by_element([x]);
        let x = g.copy(x);
        g.by_element([x])
    }

    fn residual(&mut self, x: Tensor, video: Video, [inputs, outputs]: [f64; 2]) -> Tensor {
        let mut h = self.normed(x);
        h = self.conv(h, video, 27.0, [inputs, outputs]);
        h = self.normed(h);
        h = self.conv(h, video, 27.0, [outputs, outputs]);
        let x = if inputs == outputs {
            x
        } else {
            self.graph.conv(Ways::default(), x, 1.0, video.size(), [inputs, outputs])
        };
        self.graph.by_element([h, x])
    }

    /// Another size, frame by frame.
    fn resampled(&mut self, x: Tensor, video: Video, [inputs, outputs]: [f64; 2]) -> Tensor {
        let g = &mut self.graph;
        let x = g.copy(x);
        let x = g.f32(video.size() * inputs, [x]);
        let x = g.conv(Ways::default(), x, 9.0, video.size(), [inputs, outputs]);
        g.copy(x)
    }

    fn middle(&mut self, x: Tensor, video: Video, width: f64) -> Tensor {
        let x = self.residual(x, video, [width, width]);
        let g = &mut self.graph;
        let elements = video.size() * width;
        let normed = g.copy(x);
        let all = g.conv(Ways::default(), normed, 1.0, video.size(), [width, 3.0 * width]);
        let all = g.copy(all);
        let [q, k, v] = [(); 3].map(|()| {
            let part = g.part(all, elements);
            g.f32(elements, [part])
        });
        let heads = Heads { queries: video.area, keys: video.area, width, count: video.frames };
        let h = g.attention_of_heads(Ways::default(), heads, [q, k, v]);
        let h = g.copy(h);
        let h = g.conv(Ways::default(), h, 1.0, video.size(), [width, width]);
        let h = g.copy(h);
        let x = g.by_element([h, x]);
        self.residual(x, video, [width, width])
    }

    /// The frames so far and those of this chunk.
    fn appended(&mut self, whole: Option<Tensor>, chunk: Tensor) -> Tensor {
        match whole {
            None => chunk,
            Some(whole) => {
                let elements = self.graph.elements(whole) + self.graph.elements(chunk);
                self.graph.f32(elements, [whole, chunk])
            }
        }
    }

    /// The graph, with as much room for the result as all chunks make.
    fn finish(mut self, whole: Option<Tensor>, elements: f64) -> Graph {
        if let Some(whole) = whole {
            let rest = (elements - self.graph.elements(whole)).max(0.0);
            let room = self.graph.input(rest);
            let out = self.graph.f32(1.0, [whole, room]);
            self.graph.output(out);
        }
        self.graph
    }
}
