//! Chroma draws what the engine draws by itself, and its masks reach the engine.
//!
//! A test binary of its own: the network for the modulations has its real size, so that each picture
//! takes seconds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{
    compare::{Compared, draw_alone},
    transformers::{F16, MAPPED, parts, request},
};
use sdcpp::ModelConfig;
use sdcpp_test_support::{self as models, Flux, FluxKind};

/// Without its text encoder T5, of which there is no tiny model.
fn chroma() -> ModelConfig {
    parts(models::flux(Flux::of(FluxKind::Chroma), MAPPED)).taesd(models::tae(16, F16).unwrap())
}

/// In place of the text the engine takes 256 tokens of zeros, all masked
/// (`T5CLIPEmbedder::get_learned_condition_common` in conditioner.hpp): the transformer sees them
/// without its mask alone. It returns there before it looks at the mask of T5 and its padding, so
/// that those can show nothing but that they are taken.
#[test]
fn chroma_draws_and_takes_its_masks() {
    let request = request().steps(1);
    let mut masked = Compared::new(chroma());
    assert_eq!(masked.context().family(), "Flux");
    let masked = masked.draw("base", &request);
    let colours = masked.iter().collect::<std::collections::HashSet<_>>().len();
    assert!(colours > 64, "the picture has no more than {colours} values");
    let open = draw_alone("chroma_use_dit_mask", chroma().chroma_use_dit_mask(false), &request);
    assert!(open != masked, "chroma_use_dit_mask changes nothing");
    let text = chroma().chroma_use_t5_mask(true).chroma_t5_mask_pad(9);
    let text = draw_alone("chroma_use_t5_mask, chroma_t5_mask_pad", text, &request);
    assert!(text == masked, "the mask of a missing T5 changes the picture");
}
