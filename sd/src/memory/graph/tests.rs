use super::{
    autoencoder::{Vae, tiny_decode, tiny_encode},
    joint::{Flux, QwenImage, Sd3, Tokens},
    layers::Ways,
    single::{SingleStream, Wan},
    text::{Kept, Llm, clip},
    transformer::{Block, Mlp},
    unet::{UNet, UNetHeads, UNetInput},
    video_autoencoder::{TinyVideo, WanVae},
    *,
};
use proptest::prelude::*;

const PLAIN: Ways = Ways { direct: false, flash: false };
const FLASH: Ways = Ways { direct: false, flash: true };
const DIRECT: Ways = Ways { direct: true, flash: false };

const SD1: UNet = UNet {
    width: 32.0,
    inputs: 4.0,
    multiples: &[1.0, 2.0, 4.0, 4.0],
    blocks: 2,
    depths: &[1, 1, 1, 0],
    middle: Some(1),
    heads: UNetHeads::Count(8.0),
    linear: false,
};

const FLUX: Flux = Flux {
    block: Block { width: 256.0, heads: 2.0, hidden: 1024.0 },
    double: 1,
    single: 1,
    mlp: Mlp::Plain,
    gated: false,
    inputs: [64.0, 4096.0],
    distilled: None,
    pixel: None,
};

const WAN: Wan = Wan {
    block: Block { width: 1536.0, heads: 12.0, hidden: 8960.0 },
    channels: 16.0,
    latent: 16.0,
    depth: 1,
    vace: 0,
    sees: false,
};

/// Each graph's buffer is what the engine logs as `compute buffer size`, in MB, for a model of the
/// same sizes (`tests/memory.rs` compares the two anew), up to so much.
fn assert_logged(most: f64, rows: &[(&str, Graph, f64)]) {
    for (name, graph, logged) in rows {
        let megabytes = graph.buffer_size() as f64 / f64::from(1 << 20);
        println!("{name}: {megabytes:.2}, logged {logged:.2}");
        assert!((megabytes / logged - 1.0).abs() < most, "{name}: {megabytes:.2}, logged {logged}");
    }
}

#[test]
fn unets_are_as_logged() {
    let sd2 = UNet { width: 64.0, heads: UNetHeads::Width(64.0), linear: true, ..SD1 };
    let sdxl = UNet {
        multiples: &[1.0, 2.0, 4.0],
        depths: &[0, 2, 10],
        middle: Some(10),
        width: 32.0,
        ..sd2.clone()
    };
    let of = |unet: &UNet, ways, area, token_width| {
        unet.graph(ways, UNetInput { area, tokens: 77.0, token_width, controlled: false })
    };
    assert_logged(
        0.02,
        &[
            ("SD1 64", of(&SD1, PLAIN, 64.0, 768.0), 0.96),
            ("SD1 256", of(&SD1, PLAIN, 1024.0, 768.0), 33.85),
            ("SD1 256 flash", of(&SD1, FLASH, 1024.0, 768.0), 3.37),
            ("SD2 64", of(&sd2, PLAIN, 64.0, 1024.0), 1.79),
            ("SD2 256", of(&sd2, PLAIN, 1024.0, 1024.0), 7.53),
            ("SDXL 64", of(&sdxl, PLAIN, 64.0, 2048.0), 5.50),
            ("SDXL 256", of(&sdxl, PLAIN, 1024.0, 2048.0), 6.58),
        ],
    );
}

#[test]
fn autoencoders_are_as_logged() {
    let vae = Vae { decoder_width: 32.0, latent: 4.0 };
    let tiny = TinyVideo { latent: 16.0, patch: 1.0, grows: [false, true, true] };
    let wan = WanVae { width: 96.0, latent: 16.0, patch: 1.0 };
    assert_logged(
        0.05,
        &[
            ("decode", vae.decode(PLAIN, 65_536.0), 104.02),
            ("decode 64", vae.decode(PLAIN, 4096.0), 6.50),
            ("encode", vae.encode(PLAIN, 65_536.0), 212.13),
            ("direct encode", vae.encode(DIRECT, 65_536.0), 97.0),
            ("direct decode", vae.decode(DIRECT, 65_536.0), 44.02),
            ("TAESD", tiny_decode(PLAIN, 65_536.0, 4.0), 120.02),
            ("TAESD encode", tiny_encode(PLAIN, 65_536.0, 16.0), 124.13),
            ("TAEHV 5 frames", tiny.decode(PLAIN, 4096.0, 2.0), 54.01),
            ("TAEHV 9 frames", tiny.decode(PLAIN, 16_384.0, 3.0), 324.05),
            ("TAEHV encode", tiny.encode(PLAIN, 16_384.0, 9.0), 115.69),
            ("Wan VAE", wan.decode(16_384.0, 1.0), 117.58),
            ("Wan VAE 5 frames", wan.decode(4096.0, 2.0), 124.78),
            ("Wan VAE 9 frames", wan.decode(16_384.0, 3.0), 717.0),
            ("Wan VAE encode", wan.encode(4096.0, 1.0), 30.36),
        ],
    );
}

#[test]
fn transformers_are_as_logged() {
    let of = |flux: &Flux, ways, picture, text| flux.graph(ways, Tokens { picture, text });
    let ovis = Flux { mlp: Mlp::Gated, gated: true, inputs: [64.0, 32.0], ..FLUX };
    let longcat = Flux { inputs: [64.0, 3584.0], ..FLUX };
    let klein = Flux {
        mlp: Mlp::Halves,
        gated: true,
        inputs: [128.0, 96.0],
        block: Block { hidden: 768.0, ..FLUX.block },
        ..FLUX
    };
    let chroma = Flux { distilled: Some(5120.0), ..FLUX };
    let radiance = Flux { pixel: Some(64.0), inputs: [768.0, 4096.0], ..chroma };
    let sd3 = Sd3 {
        block: Block { width: 192.0, heads: 24.0, hidden: 768.0 },
        depth: 24,
        twice: 1,
        normed: true,
        context: 4096.0,
        table: 32.0,
    };
    let qwen = QwenImage {
        block: Block { width: 3072.0, heads: 24.0, hidden: 12_288.0 },
        depth: 1,
        context: 3584.0,
    };
    let z_image = SingleStream {
        block: Block { width: 256.0, heads: 2.0, hidden: 768.0 },
        keys: 256.0,
        depth: 1,
        fused: true,
    };
    let ernie = SingleStream { fused: false, ..z_image };
    let text = |picture| Tokens { picture, text: 154.0 };
    assert_logged(
        0.25,
        &[
            ("FLUX 64", of(&FLUX, PLAIN, 16.0, 256.0), 4.52),
            ("FLUX 256", of(&FLUX, PLAIN, 256.0, 256.0), 10.07),
            ("FLUX with a reference", of(&FLUX, PLAIN, 512.0, 256.0), 15.38),
            ("FLUX flash", of(&FLUX, FLASH, 256.0, 256.0), 8.07),
            ("Ovis 64", of(&ovis, PLAIN, 16.0, 256.0), 5.89),
            ("Ovis 256", of(&ovis, PLAIN, 256.0, 256.0), 11.34),
            ("LongCat 64", of(&longcat, PLAIN, 16.0, 512.0), 10.16),
            ("LongCat 256", of(&longcat, PLAIN, 256.0, 512.0), 17.56),
            ("FLUX.2 klein 64", of(&klein, PLAIN, 16.0, 512.0), 10.56),
            ("FLUX.2 klein 256", of(&klein, PLAIN, 256.0, 512.0), 16.06),
            ("Chroma 64", of(&chroma, PLAIN, 16.0, 256.0), 24.68),
            ("Chroma Radiance 64", of(&radiance, PLAIN, 16.0, 256.0), 31.38),
            ("SD3 64", sd3.graph(PLAIN, text(16.0)), 5.19),
            ("SD3 256", sd3.graph(PLAIN, text(256.0)), 18.17),
            ("Qwen-Image 64", qwen.graph(PLAIN, Tokens { picture: 16.0, text: 7.0 }), 2.16),
            ("Qwen-Image 128", qwen.graph(PLAIN, Tokens { picture: 64.0, text: 7.0 }), 8.58),
            ("Z-Image 64", z_image.graph(PLAIN, 64.0), 0.76),
            ("Z-Image 256", z_image.graph(PLAIN, 288.0), 3.50),
            ("ERNIE 256", ernie.graph(PLAIN, 260.0), 2.65),
            ("Wan 5 frames", WAN.graph(PLAIN, 32.0, 256.0), 7.49),
            ("Wan 9 frames", WAN.graph(PLAIN, 192.0, 256.0), 13.12),
            ("Wan VACE", Wan { vace: 1, ..WAN }.graph(PLAIN, 192.0, 256.0), 13.40),
            (
                "Wan I2V",
                Wan { sees: true, channels: 36.0, ..WAN }.graph(PLAIN, 192.0, 256.0),
                14.19,
            ),
        ],
    );
}

#[test]
fn text_encoders_are_as_logged() {
    let block = |width, heads, hidden| Block { width, heads, hidden };
    let qwen3 = Llm {
        block: block(32.0, 16.0, 32.0),
        heads: [2048.0, 1024.0],
        depth: 28,
        kept: Kept::Some(3),
    };
    let gemma = Llm {
        block: block(94_080.0, 16.0, 4.0),
        heads: [4096.0, 2048.0],
        depth: 0,
        kept: Kept::All,
    };
    assert_logged(
        0.25,
        &[
            ("CLIP-L", clip(PLAIN, block(768.0, 12.0, 3072.0), 12, 77.0), 1.42),
            ("CLIP-G", clip(PLAIN, block(1280.0, 20.0, 5120.0), 32, 77.0), 2.36),
            ("CLIP vision", clip(PLAIN, block(1280.0, 16.0, 5120.0), 32, 257.0), 10.88),
            ("Qwen3", qwen3.graph(512.0), 25.25),
            // Two states of half the width that LTX-2 takes.
            ("Gemma 3", gemma.graph(1024.0), 1470.0),
        ],
    );
}

#[test]
fn memory_is_given_back_and_taken_over() {
    let mut graph = Graph::default();
    let a = graph.input(8.0);
    let b = graph.f32(8.0, [a]);
    let c = graph.by_element([b]);
    let d = graph.f32(8.0, [c]);
    graph.output(d);
    // a, the two constants, b, which c is written over; d lies where a was.
    assert_eq!(graph.buffer_size(), 4 * 32);
    let shown = graph.in_place(d);
    let e = graph.by_element([shown]);
    graph.output(e);
    assert_eq!(graph.buffer_size(), 4 * 32, "not over a view, but where b was");
    assert_eq!(Graph::default().buffer_size(), 0);
}

proptest! {
    /// The buffer is never smaller than what the largest node needs together with what it reads.
    #[test]
    fn any_graph_has_room_for_each_node(
        nodes in proptest::collection::vec((0_u8..4, 0.0..1e19_f64, any::<usize>(), any::<usize>()), 1..40)
    ) {
        let mut graph = Graph::default();
        let mut least = 0_u64;
        let mut last = graph.input(1.0);
        for (kind, size, a, b) in nodes {
            let count = graph.nodes.len();
            let [a, b] = [Tensor(a % count), Tensor(b % count)];
            last = match kind {
                0 => graph.input(size),
                1 => graph.f32(size, [a, b]),
                2 => graph.by_element([a, last]),
                _ => graph.in_place_of([a, last]),
            };
            if kind == 1 {
                least = least.max(graph.nodes[last.0].bytes);
            }
            graph.output(last);
        }
        prop_assert!(graph.buffer_size() >= least);
    }
}
