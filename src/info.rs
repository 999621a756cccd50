//! What this library and its engine are.

use crate::{
    engine::engine,
    error::{self, Result},
    memory,
    pointer::Out,
};
use once_cell::sync::OnceCell;
use sdcpp::{
    AnimationFormat, Device, DeviceKind, PngCompression, PreviewKind, Sampler, Scheduler,
    WeightType,
};
use serde_json::{Value, json};
use std::{
    ffi::{CStr, CString, c_char},
    ptr,
};

/// Changes with every incompatible change of this interface, as the library's soname does.
pub const SDCPP_ABI_MAJOR: u32 = 0;
/// Grows with every addition to this interface.
pub const SDCPP_ABI_MINOR: u32 = 1;

/// Version of this library, as in `1.2.3`. A static text.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}

/// Version of the interface that the loaded library has: `SDCPP_ABI_MAJOR << 16 | SDCPP_ABI_MINOR` of
/// its header. A program works with a library of the same major number and of any minor number from
/// its own up.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_abi_version() -> u32 {
    SDCPP_ABI_MAJOR << 16 | SDCPP_ABI_MINOR
}

/// The engine's commit and what it was built for, in one line. `*out` is a static text.
///
/// Errors: `SDCPP_UNSUPPORTED` if the engine was built for another processor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_system_info(out: *mut *const c_char) -> i32 {
    static TEXT: OnceCell<CString> = OnceCell::new();
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, ptr::null(), "out") }?;
        let text = TEXT.get_or_try_init(|| -> Result<CString> {
            let engine = engine()?;
            let info = engine.system_info();
            let line = format!("stable-diffusion.cpp {} | {}", engine.commit(), info.trim());
            Ok(error::text(&line))
        })?;
        out.put(text.as_ptr());
        Ok(())
    })
}

fn kind_name(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Cpu => "cpu",
        DeviceKind::Gpu => "gpu",
        DeviceKind::IntegratedGpu => "integrated_gpu",
        DeviceKind::Accelerator => "accelerator",
        _ => "other",
    }
}

/// Lists the devices that this build can compute on, as a JSON array: `name` (for `backend`),
/// `description`, `kind` (`cpu`, `gpu`, `integrated_gpu`, `accelerator`, `other`), `memory_free` and
/// `memory_total` in bytes. Free `*out` by `sdcpp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_devices_json(out: *mut *mut c_char) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, memory::NO_TEXT, "out") }?;
        let device = |device: &Device| {
            json!({
                "name": device.name,
                "description": device.description,
                "kind": kind_name(device.kind),
                "memory_free": device.memory_free,
                "memory_total": device.memory_total,
            })
        };
        let devices: Vec<Value> = engine()?.devices()?.iter().map(device).collect();
        out.put(memory::lend_json(&devices.into()));
        Ok(())
    })
}

/// Lists the names that texts in structs may have, as JSON arrays: `samplers`, `schedulers`,
/// `weight_types`, `preview_kinds`, `png_compressions`, `animation_formats`. Each sampler, scheduler
/// and weight type has a `name`, and a `label` as A1111 writes it. Free `*out` by `sdcpp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_names_json(out: *mut *mut c_char) -> i32 {
    macro_rules! names {
        ($of:ident) => {
            $of::ALL.iter().map(|of| of.name()).collect::<Vec<_>>()
        };
    }
    macro_rules! labels {
        ($of:ident) => {
            $of::ALL
                .iter()
                .map(|of| json!({ "name": of.name(), "label": of.label() }))
                .collect::<Vec<_>>()
        };
    }
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, memory::NO_TEXT, "out") }?;
        out.put(memory::lend_json(&json!({
            "samplers": labels!(Sampler),
            "schedulers": labels!(Scheduler),
            "weight_types": labels!(WeightType),
            "preview_kinds": names!(PreviewKind),
            "png_compressions": names!(PngCompression),
            "animation_formats": names!(AnimationFormat),
        })));
        Ok(())
    })
}
