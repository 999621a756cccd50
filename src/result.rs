//! What an operation made.

use crate::{
    error::{self, Failure, Result},
    handle::{self, Handle},
    memory,
    pointer::{self, Out},
    sized::{VersionedOut, sized},
};
use sdcpp::{
    Animation, Audio, Frame, Generated, GeneratedVideo, Picture, PngCompression, Timings, Upscaled,
    Warning, WavSamples,
};
use serde_json::{Value, json};
use std::{
    ffi::{CString, c_char},
    ptr,
};

/// Pictures, or the frames and the sound of a video. Does not need the context or pool it came from.
/// It never changes, and can be used by any number of threads.
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_result {
    _opaque: [u8; 0],
}

impl Handle for sdcpp_result {
    type Object = Made;
    const NAME: &'static str = "sdcpp_result";
}

/// One picture or frame of a result. What it points to is the result's, and valid until that is
/// freed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_image {
    /// `sizeof(sdcpp_image)`; set it before the call.
    pub size: usize,
    /// The pixels: 8 bits a channel, rows from the top without gaps, red first.
    pub data: *const u8,
    /// `width` x `height` x `channels`.
    pub length: usize,
    /// How it was made, in words that PNG files have under "parameters". UTF-8; may be empty.
    pub parameters: *const c_char,
    /// The seed it was drawn with.
    pub seed: i64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 3 (RGB), or 4 (RGBA) from the models that draw transparency.
    pub channels: u32,
    /// 0.
    pub reserved: u32,
}

sized!(sdcpp_image, first 56, {
    data: ptr::null(),
    length: 0,
    parameters: ptr::null(),
    seed: 0,
    width: 0,
    height: 0,
    channels: 0,
    reserved: 0,
});

/// The sound of a video. What it points to is the result's, and valid until that is freed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(non_camel_case_types, reason = "its name in C")]
pub struct sdcpp_audio {
    /// `sizeof(sdcpp_audio)`; set it before the call.
    pub size: usize,
    /// Samples of all channels in turn, -1 to 1.
    pub samples: *const f32,
    /// How many there are, of all channels; 0: there is no sound.
    pub sample_count: usize,
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
}

sized!(sdcpp_audio, first 32, {
    samples: ptr::null(),
    sample_count: 0,
    sample_rate: 0,
    channels: 0,
});

/// What [`sdcpp_result`] stands for.
#[derive(Debug)]
pub(crate) struct Made {
    kind: &'static str,
    pictures: Vec<Picture>,
    parameters: Vec<CString>,
    fps: Option<u32>,
    audio: Option<Audio>,
    timings: Timings,
    warnings: Vec<Warning>,
}

impl Made {
    fn new(
        kind: &'static str,
        pictures: Vec<Picture>,
        timings: Timings,
        warnings: Vec<Warning>,
    ) -> Self {
        let parameters = pictures.iter().map(|p| error::text(p.parameters())).collect();
        Self { kind, pictures, parameters, fps: None, audio: None, timings, warnings }
    }

    fn picture(&self, index: usize) -> Result<&Picture> {
        self.pictures.get(index).ok_or_else(|| {
            let allowed = format!("0 to {}", self.pictures.len().saturating_sub(1));
            Failure::invalid("index", index, allowed)
        })
    }

    fn audio(&self) -> Result<&Audio> {
        let reason = "the model made none".to_owned();
        self.audio.as_ref().ok_or_else(|| {
            sdcpp::Error::Unsupported { what: "sound of this result".to_owned(), reason }.into()
        })
    }

    fn animation(&self, fps: f64) -> Result<Animation<'_>> {
        let frames = self.pictures.iter().map(Frame::try_from).collect::<Result<Vec<_>, _>>()?;
        let own = self.fps.map(f64::from);
        let fps = if fps == 0.0 { own } else { Some(fps) };
        let missing = || Failure::invalid("fps", 0, "more than 0 for pictures");
        let mut animation = Animation::new(frames, fps.ok_or_else(missing)?);
        animation.audio = self.audio.as_ref();
        Ok(animation)
    }

    fn info(&self) -> Value {
        let first = self.pictures.first();
        let warnings = self.warnings.iter().map(ToString::to_string);
        let audio = self.audio.as_ref().map(|audio| {
            json!({
                "sample_rate": audio.sample_rate,
                "channels": audio.channels,
                "sample_count": audio.samples.len(),
            })
        });
        json!({
            "kind": self.kind,
            "count": self.pictures.len(),
            "width": first.map(Picture::width),
            "height": first.map(Picture::height),
            "channels": first.map(Picture::channels),
            "seeds": self.pictures.iter().map(Picture::seed).collect::<Vec<_>>(),
            "seconds": seconds(&self.timings),
            "warnings": warnings.collect::<Vec<_>>(),
            "fps": self.fps,
            "audio": audio,
        })
    }
}

/// How long each phase took.
pub(crate) fn seconds(timings: &Timings) -> Value {
    json!({
        "load": timings.load.as_secs_f64(),
        "text_encoding": timings.text_encoding.as_secs_f64(),
        "image_encoding": timings.image_encoding.as_secs_f64(),
        "sampling": timings.sampling.as_secs_f64(),
        "decoding": timings.decoding.as_secs_f64(),
        "upscaling": timings.upscaling.as_secs_f64(),
        "total": timings.total.as_secs_f64(),
    })
}

impl From<Generated> for Made {
    fn from(made: Generated) -> Self {
        Self::new("images", made.images, made.timings, made.warnings)
    }
}

impl From<GeneratedVideo> for Made {
    fn from(made: GeneratedVideo) -> Self {
        let video = Self::new("video", made.frames, made.timings, made.warnings);
        Self { fps: Some(made.fps), audio: made.audio, ..video }
    }
}

impl From<Upscaled> for Made {
    fn from(made: Upscaled) -> Self {
        Self::new("upscaled", vec![made.image], made.timings, made.warnings)
    }
}

/// How many pictures or frames there are; one at least.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_count(result: *const sdcpp_result, out: *mut usize) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, 0, "out") }?;
        out.put(handle::get(result)?.pictures.len());
        Ok(())
    })
}

/// Tells of the picture or frame `index`, from 0, without copying it. Set `out->size` before.
///
/// Errors: `SDCPP_INVALID_PARAMETER` if there is no such picture.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_image(
    result: *const sdcpp_result,
    index: usize,
    out: *mut sdcpp_image,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { VersionedOut::new(out, "out") }?;
        let made = handle::get(result)?;
        let (picture, parameters) = (made.picture(index)?, made.parameters.get(index));
        let data = picture.as_bytes();
        out.put(sdcpp_image {
            size: size_of::<sdcpp_image>(),
            data: data.as_ptr(),
            length: data.len(),
            parameters: parameters.map_or(c"".as_ptr(), |text| text.as_ptr()),
            seed: picture.seed(),
            width: picture.width(),
            height: picture.height(),
            channels: picture.channels(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Encodes picture `index` as PNG, with the text of how it was made. `compression` is `fast`,
/// `balanced` or `high`; NULL: `fast`. Free `*out` by `sdcpp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_png(
    result: *const sdcpp_result,
    index: usize,
    compression: *const c_char,
    out: *mut *mut u8,
    out_length: *mut usize,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let (out, length, compression) = unsafe {
            let out = Out::new(out, ptr::null_mut(), "out");
            let length = Out::new(out_length, 0, "out_length");
            let compression = pointer::optional_name::<PngCompression>(compression, "compression");
            (out?, length?, compression?.unwrap_or_default())
        };
        let png = handle::get(result)?.picture(index)?.to_png_with(compression)?;
        let (data, count) = memory::lend(png);
        out.put(data);
        length.put(count);
        Ok(())
    })
}

/// Saves picture `index` as a PNG file, with the text of how it was made. The file appears when it is
/// whole, over an existing one.
///
/// Errors: `SDCPP_IO`; `SDCPP_INVALID_PARAMETER` for a name that ends in anything but `.png`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_save(
    result: *const sdcpp_result,
    index: usize,
    path: *const c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let path = unsafe { pointer::path(path, "path") }?;
        Ok(handle::get(result)?.picture(index)?.save(path)?)
    })
}

/// Saves all pictures or frames in one animation, in the format that the name ends in: `.gif`,
/// `.apng`, `.avi` (with the sound), `.webp` in builds that have it, or `.png` for numbered files.
/// `fps` is frames a second; 0: the video's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_save_animation(
    result: *const sdcpp_result,
    fps: f64,
    path: *const c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let path = unsafe { pointer::path(path, "path") }?;
        handle::get(result)?.animation(fps)?.save(path)?;
        Ok(())
    })
}

/// Tells of the sound, without copying it. Set `out->size` before.
///
/// Errors: `SDCPP_UNSUPPORTED` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_audio(
    result: *const sdcpp_result,
    out: *mut sdcpp_audio,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { VersionedOut::new(out, "out") }?;
        let made = handle::get(result)?;
        let audio = made.audio()?;
        out.put(sdcpp_audio {
            size: size_of::<sdcpp_audio>(),
            samples: audio.samples.as_ptr(),
            sample_count: audio.samples.len(),
            sample_rate: audio.sample_rate,
            channels: audio.channels.into(),
        });
        Ok(())
    })
}

/// Saves the sound as a WAV file of 16 bits.
///
/// Errors: `SDCPP_UNSUPPORTED` if there is none; `SDCPP_IO`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_save_audio(
    result: *const sdcpp_result,
    path: *const c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let path = unsafe { pointer::path(path, "path") }?;
        Ok(handle::get(result)?.audio()?.save_wav(path, WavSamples::Pcm16)?)
    })
}

/// Tells of the whole as JSON: `kind`, `count`, `width`, `height`, `channels`, `seeds`, `seconds` (by
/// phase), `warnings` (texts), and of videos `fps` and `audio`, which are null otherwise. Free `*out`
/// by `sdcpp_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sdcpp_result_info_json(
    result: *const sdcpp_result,
    out: *mut *mut c_char,
) -> i32 {
    error::call(|| {
        // SAFETY: the pointers are as the documentation of this crate asks.
        let out = unsafe { Out::new(out, memory::NO_TEXT, "out") }?;
        out.put(memory::lend_json(&handle::get(result)?.info()));
        Ok(())
    })
}

/// Frees a result, and the memory that `sdcpp_image` and `sdcpp_audio` of it point to.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_result_free(result: *mut sdcpp_result) -> i32 {
    error::call(|| handle::take(result).map(drop))
}
