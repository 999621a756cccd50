//! Converting and quantising model files.

use crate::{
    engine,
    error::{self, Result},
    pointer::{self, Out},
    sized::{self, sized},
    watch::{Following, sdcpp_watch},
};
use sdcpp::Convert;
use std::{ffi::c_char, ptr};

/// What to convert. Fill it by `sdcpp_convert_options_init`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_convert_options {
    /// `sizeof(sdcpp_convert_options)`.
    pub size: usize,
    /// The file to read. Must be set.
    pub input: *const c_char,
    /// The file to write, `.gguf` or `.safetensors`; an existing one is replaced once the new one is
    /// whole. Must be set.
    pub output: *const c_char,
    /// A VAE to put in place of the model's own; NULL: none.
    pub vae: *const c_char,
    /// The type of the weights, as in `q8_0`; NULL: as in the input.
    pub weight_type: *const c_char,
    /// Types by tensor name, as `pattern=type,...`; NULL: none.
    pub tensor_type_rules: *const c_char,
    /// 1: renames tensors to the engine's own names. Default 0.
    pub convert_names: i32,
    /// 1: allows pickle checkpoints as input, which can crash the process if hostile. Default 0.
    pub trust_pickle: i32,
}

sized!(sdcpp_convert_options, first 56, {
    input: ptr::null(),
    output: ptr::null(),
    vae: ptr::null(),
    weight_type: ptr::null(),
    tensor_type_rules: ptr::null(),
    convert_names: 0,
    trust_pickle: 0,
});

/// Fills `options` with defaults. `size` is `sizeof(sdcpp_convert_options)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_convert_options_init(
    options: *mut sdcpp_convert_options,
    size: usize,
) -> i32 {
    // SAFETY: the pointers are as the documentation of this crate asks.
    error::call(|| unsafe { sized::init(options, size, "options") })
}

/// What the caller's struct stands for.
///
/// # Safety
/// `pointer` is NULL or leads to a struct whose pointers are as its documentation says.
unsafe fn read(pointer: *const sdcpp_convert_options) -> Result<Convert> {
    // SAFETY: the caller vouches for it.
    let asked = unsafe { sized::read(pointer, "options") }?;
    // SAFETY: as above.
    unsafe {
        let input = pointer::path(asked.input, "options.input")?;
        let mut convert = Convert::new(input, pointer::path(asked.output, "options.output")?);
        convert.vae = pointer::optional_path(asked.vae, "vae")?;
        convert.weight_type = pointer::optional_name(asked.weight_type, "weight_type")?;
        let rules = pointer::optional_text(asked.tensor_type_rules, "tensor_type_rules")?;
        convert.tensor_type_rules = rules.map(str::to_owned);
        let names = pointer::switch(asked.convert_names, "convert_names")?;
        convert.convert_names = names.unwrap_or(false);
        let trust = pointer::switch(asked.trust_pickle, "trust_pickle")?;
        convert.trust_pickle = trust.unwrap_or(false);
        Ok(convert)
    }
}

/// Writes a model file in another format or with other weight types, and tells its size in bytes.
/// `watch` may be NULL, and `out_bytes` too. A stop takes effect when the engine returns, and then
/// nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_convert(
    options: *const sdcpp_convert_options,
    watch: *const sdcpp_watch,
    out_bytes: *mut u64,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, convert, (watch, _following)) = unsafe {
            let out = if out_bytes.is_null() { None } else { Some(Out::new(out_bytes, 0, "")?) };
            (out, read(options)?, Following::read(watch, None)?)
        };
        let converted = convert.run_with(&engine::engine()?, watch)?;
        if let Some(out) = out {
            out.put(converted.bytes);
        }
        Ok(())
    })
}
