//! The keys of what is in requests and holds no pictures. The "parameters" text has some of these as
//! JSON, so they do not depend on the feature `serde`.

use super::object;
use crate::{HiresFix, Inpaint, Lora, Outpaint, SkipLayers, VaeTiling};

object! {
    SkipLayers = SkipLayers::default();
    layers => list(1..=crate::sampling::MOST_LAYERS).each(0_u32..=1000);
    start => range(0.0_f32..=1.0);
    end => range(0.0_f32..=1.0);
    scale => range(-100.0_f32..=100.0);
}

object! {
    VaeTiling = VaeTiling::default();
    tile_size => each(4_u32..=4096);
    relative_size => each(0.001_f32..=1000.0);
    overlap => range(0.0_f32..=0.5);
    temporal;
    extra_args => text();
}

object! {
    HiresFix = HiresFix::default();
    upscaler;
    model;
    scale => range(0.25_f32..=16.0);
    target_size => each(1..=crate::MAX_SIDE);
    steps => range(1..=crate::MAX_STEPS);
    denoising_strength => range(0.01_f32..=1.0);
    tile_size => range(16_u32..=4096);
    custom_sigmas => list(0..=crate::MAX_STEPS as usize + 1).each(0.0..=f32::MAX);
}

object! {
    Inpaint = Inpaint::default();
    mask_blur => range(0..=Inpaint::MAX_MASK_BLUR);
    invert;
    area;
    keep_unmasked;
    fill;
}

object! {
    Outpaint = Outpaint::default();
    left;
    right;
    top;
    bottom;
    feather => range(0..=crate::MAX_SIDE);
    fill;
}

object! {
    Lora = Lora::new(""), required path;
    path;
    multiplier => range(-100.0_f32..=100.0);
    high_noise;
}
