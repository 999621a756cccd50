//! Engine calls that need no model: converting files, finding edges.

use super::{
    Engine,
    call::{self, Outcome},
    context::Out,
    params::{Strings, rgb},
};
use crate::{Result, Watch, WeightType, stage::Stage};
use image::RgbImage;
use std::path::Path;

/// What is converted to what; checked by the caller.
pub(crate) struct ConvertOptions<'a> {
    pub(crate) input: &'a Path,
    pub(crate) vae: Option<&'a Path>,
    pub(crate) output: &'a Path,
    pub(crate) weight_type: Option<WeightType>,
    pub(crate) tensor_type_rules: Option<&'a str>,
    pub(crate) convert_names: bool,
}

/// Writes a model file.
pub(crate) fn convert(
    engine: &Engine,
    options: &ConvertOptions<'_>,
    watch: Watch<'_>,
) -> Result<Outcome> {
    let table = engine.table;
    let mut strings = Strings::default();
    let input = Out(strings.path("input", Some(options.input))?.cast_mut());
    let vae = Out(strings.path("vae", options.vae)?.cast_mut());
    let output = Out(strings.path("output", Some(options.output))?.cast_mut());
    let rules = Out(strings.optional("tensor_type_rules", options.tensor_type_rules)?.cast_mut());
    let weight_type = options.weight_type.map_or(WeightType::AUTO, WeightType::to_engine);
    let convert_names = i32::from(options.convert_names);
    let outcome = call::run(table, watch, Stage::Converting, move |hooks, report| {
        let (input, vae, output, rules) = (input, vae, output, rules);
        // SAFETY: the strings live until the call's thread is joined.
        unsafe {
            (table.convert)(
                input.0,
                vae.0,
                output.0,
                weight_type,
                rules.0,
                convert_names,
                hooks,
                report,
            )
        }
    });
    drop(strings);
    outcome
}

/// How edges are told; checked by the caller.
pub(crate) struct CannyThresholds {
    pub(crate) high: f32,
    pub(crate) low: f32,
    pub(crate) weak: f32,
    pub(crate) strong: f32,
    pub(crate) invert: bool,
}

/// Turns a picture into its edges.
pub(crate) fn preprocess_canny(
    engine: &Engine,
    picture: &mut RgbImage,
    thresholds: &CannyThresholds,
    watch: Watch<'_>,
) -> Result<Outcome> {
    let table = engine.table;
    let mut image = rgb(picture);
    // Through a mutable borrow: the engine writes.
    image.data = picture.as_mut_ptr();
    let image = Out(&raw mut image);
    let invert = i32::from(thresholds.invert);
    let (high, low) = (thresholds.high, thresholds.low);
    let (weak, strong) = (thresholds.weak, thresholds.strong);
    call::run(table, watch, Stage::Preprocessing, move |hooks, report| {
        let image = image;
        // SAFETY: the picture has three channels, and it and its pixels live until the call's
        // thread is joined.
        unsafe { (table.preprocess_canny)(image.0, high, low, weak, strong, invert, hooks, report) }
    })
}
