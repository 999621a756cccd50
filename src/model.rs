//! What a model file is, and how much memory a model needs.

use crate::{
    config::{self, sdcpp_model_config},
    engine, error, memory,
    pointer::{self, Out},
    request::{self, sdcpp_image_request},
    video::{self, sdcpp_video_request},
};
use sdcpp::{ComponentSize, MemoryEstimate, ModelConfig, ModelFile, Part, PartMemory};
use serde_json::{Value, json};
use std::ffi::c_char;

/// Tells what a model file is, from its header, as JSON: `path`, `format`, `bytes`, `architecture`,
/// `config_field` (where it belongs in `sdcpp_model_config`, or null), `makes_images`, `makes_video`,
/// `parameters`, `tensors`, `components`, `weight_types`, `missing_parts` (each with the `field` that
/// takes it), `reason` (why it cannot be used, or null) and `metadata`. Free `*out` by `sdcpp_free`.
///
/// Errors: `SDCPP_FILE_NOT_FOUND`, `SDCPP_FILE_UNREADABLE`, `SDCPP_NOT_A_MODEL`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_model_inspect_json(
    path: *const c_char,
    out: *mut *mut c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, path) =
            unsafe { (Out::new(out, memory::NO_TEXT, "out")?, pointer::path(path, "path")?) };
        out.put(memory::lend_json(&file(&ModelFile::open(path)?)));
        Ok(())
    })
}

fn file(file: &ModelFile) -> Value {
    let component = |size: &ComponentSize| {
        json!({
            "component": size.component.to_string(),
            "tensors": size.tensors,
            "parameters": size.parameters,
            "bytes": size.bytes,
        })
    };
    let weights = file.weight_types().into_iter().map(
        |(kind, tensors, bytes)| json!({ "type": kind.name(), "tensors": tensors, "bytes": bytes }),
    );
    let missing = |part: Part| json!({ "part": part.to_string(), "field": part.field() });
    let metadata: serde_json::Map<_, _> =
        file.metadata().map(|(key, value)| (key.to_owned(), value.to_string().into())).collect();
    json!({
        "path": file.path().to_string_lossy(),
        "format": file.format().to_string(),
        "bytes": file.bytes(),
        "architecture": file.architecture().to_string(),
        "config_field": file.config_field(),
        "makes_images": file.is_image_model(),
        "makes_video": file.is_video_model(),
        "parameters": file.parameters(),
        "tensors": file.tensors().len(),
        "components": file.components().iter().map(component).collect::<Vec<_>>(),
        "weight_types": weights.collect::<Vec<_>>(),
        "missing_parts": file.missing_parts().into_iter().map(missing).collect::<Vec<_>>(),
        "reason": file.reason(),
        "metadata": metadata,
    })
}

/// Estimates how much memory a model and a picture need, without loading anything, as JSON: `peak`
/// (bytes, if everything is on one device), `weights` by part, the compute buffers
/// `text_encoding`, `vae_encode`, `sampling`, `control_net` and `vae_decode`, `pixels`, `overhead`,
/// `is_rough`, and `devices` with what each of them needs. Free `*out` by `sdcpp_free`.
///
/// Errors: those of reading the files; `SDCPP_UNSUPPORTED` for pickle checkpoints.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_memory_estimate_json(
    config: *const sdcpp_model_config,
    request: *const sdcpp_image_request,
    out: *mut *mut c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, config, request) = unsafe {
            let out = Out::new(out, memory::NO_TEXT, "out")?;
            (out, config::read(config)?, request::read(request)?)
        };
        out.put(memory::lend_json(&estimate(&config, &MemoryEstimate::of(&config, &request)?)?));
        Ok(())
    })
}

/// Estimates a video, as `sdcpp_memory_estimate_json` does a picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_memory_estimate_video_json(
    config: *const sdcpp_model_config,
    request: *const sdcpp_video_request,
    out: *mut *mut c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, config, request) = unsafe {
            let out = Out::new(out, memory::NO_TEXT, "out")?;
            (out, config::read(config)?, video::read(request)?)
        };
        let made = MemoryEstimate::of_video(&config, &request)?;
        out.put(memory::lend_json(&estimate(&config, &made)?));
        Ok(())
    })
}

fn estimate(config: &ModelConfig, made: &MemoryEstimate) -> error::Result<Value> {
    let part = |part: &PartMemory| {
        json!({
            "component": part.component.to_string(),
            "allocated": part.allocated,
            "mapped": part.mapped,
        })
    };
    let devices = made.by_device(config, &engine::engine()?.devices()?);
    let device = |need: &sdcpp::DeviceMemory| json!({ "device": need.device, "bytes": need.bytes, "mapped": need.mapped });
    Ok(json!({
        "peak": made.peak(),
        "architecture": made.architecture.to_string(),
        "weights": made.weights.iter().map(part).collect::<Vec<_>>(),
        "text_encoding": made.text_encoding,
        "vae_encode": made.vae_encode,
        "sampling": made.sampling,
        "control_net": made.control_net,
        "vae_decode": made.vae_decode,
        "pixels": made.pixels,
        "overhead": made.overhead,
        "is_rough": made.is_rough,
        "devices": devices.iter().map(device).collect::<Vec<_>>(),
    }))
}
