//! What to draw.

use crate::{Error, Result, Sampler, Scheduler, setters::setters, validate};
use image::{DynamicImage, GrayImage, Rgb, RgbImage};

/// The largest width or height, in pixels. The engine counts the values of a picture in an int, which
/// a picture of this size and four channels fills to half.
pub const MAX_SIDE: u32 = 16_384;
/// The largest batch.
pub const MAX_BATCH: u32 = 1024;
/// The most sampling steps.
pub const MAX_STEPS: u32 = 1000;

/// Decodes (and encodes) the picture in overlapping tiles: less memory, a little slower.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VaeTiling {
    /// Tile width and height in latent units (8 pixels for most models); at least 4. Default 32.
    pub tile_size: (u32, u32),
    /// Share of a tile that overlaps its neighbour, 0 to 0.5. Default 0.5.
    pub overlap: f32,
}

impl Default for VaeTiling {
    fn default() -> Self {
        Self { tile_size: (32, 32), overlap: 0.5 }
    }
}

impl VaeTiling {
    /// Tiles of this width and height in latent units.
    pub fn with_tile_size(width: u32, height: u32) -> Self {
        Self { tile_size: (width, height), ..Self::default() }
    }
}

/// One picture, or a batch of them.
///
/// Fields may be set directly or by the methods of the same names.
/// [`Context::generate`](crate::Context::generate) checks them all before the engine is called.
///
/// ```
/// use sdcpp::{ImageRequest, Sampler, Scheduler};
///
/// let request = ImageRequest::new("a lighthouse at dusk")
///     .negative_prompt("people")
///     .size(768, 512)
///     .steps(25)
///     .cfg_scale(6.5)
///     .sampler(Sampler::Dpmpp2m)
///     .scheduler(Scheduler::Karras)
///     .seed(42);
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageRequest {
    /// What to draw. At most 32 KiB; weights as in `(word:1.2)`, within ±1000.
    pub prompt: String,
    /// What to avoid. Without effect at a [`cfg_scale`](Self::cfg_scale) of 1.
    pub negative_prompt: String,
    /// Width in pixels, 1 to [`MAX_SIDE`]. The engine rounds up to what the model can draw: a
    /// multiple of 64 for UNets, 8 for most transformers. Default 512.
    pub width: u32,
    /// Height in pixels, as the width. Default 512.
    pub height: u32,
    /// Sampling steps, 1 to [`MAX_STEPS`]. Default 20.
    pub steps: u32,
    /// How strongly the prompt rules, −100 to 100. 1 switches the negative prompt off and halves
    /// the time. Default 7.5.
    pub cfg_scale: f32,
    /// How strongly the input picture rules, in models that are told of it apart (InstructPix2Pix).
    pub image_cfg_scale: Option<f32>,
    /// Guidance of distilled models (FLUX), 0 to 100. Default 3.5.
    pub distilled_guidance: f32,
    /// The sampler. Default: [`Sampler::Euler`] for transformer models, else
    /// [`Sampler::Dpmpp2m`].
    pub sampler: Option<Sampler>,
    /// The scheduler. Default: the engine's for sampler and model.
    pub scheduler: Option<Scheduler>,
    /// The seed of the first picture; each next one has one more. Absent or negative: drawn at
    /// random and reported in [`Generated::seeds`](crate::Generated::seeds).
    pub seed: Option<i64>,
    /// How many pictures, 1 to [`MAX_BATCH`]. Default 1.
    pub batch: u32,
    /// CLIP layers to leave out at the end, 1 to 12; the model's own when absent. 1 is none.
    pub clip_skip: Option<u32>,
    /// Noise added at each step by samplers that add some, 0 to 100, and to 1 for
    /// [`Sampler::Tcd`]. Default: the sampler's.
    pub eta: Option<f32>,
    /// Shift of flow models' timesteps, above 0 to 100. Default: the model's.
    pub flow_shift: Option<f32>,
    /// Timesteps of the distilled SDXL models that shift them (NitroSD), 0 to 1000. 0: off.
    pub shifted_timestep: u32,
    /// Noise levels in place of a scheduler's: two at least, falling, the last usually 0. Sets the
    /// steps to one less than their number.
    pub custom_sigmas: Vec<f32>,
    /// Further arguments of samplers and guidance, as `key=value,…`.
    pub extra_sample_args: Option<String>,
    /// A picture to start from (img2img), stretched to the size of the request.
    pub init_image: Option<RgbImage>,
    /// How much of the [`init_image`](Self::init_image) may change, 0 to 1 (A1111's denoising
    /// strength). 0 keeps it, but for one step; 1 ignores it. Default 0.75.
    pub denoising_strength: f32,
    /// Where the [`init_image`](Self::init_image) may change (inpainting): white repaints, black
    /// keeps, divided at half. Of the same size as it.
    pub mask: Option<GrayImage>,
    /// Decodes in tiles, for less memory.
    pub vae_tiling: Option<VaeTiling>,
}

impl Default for ImageRequest {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative_prompt: String::new(),
            width: 512,
            height: 512,
            steps: 20,
            cfg_scale: 7.5,
            image_cfg_scale: None,
            distilled_guidance: 3.5,
            sampler: None,
            scheduler: None,
            seed: None,
            batch: 1,
            clip_skip: None,
            eta: None,
            flow_shift: None,
            shifted_timestep: 0,
            custom_sigmas: Vec::new(),
            extra_sample_args: None,
            init_image: None,
            denoising_strength: 0.75,
            mask: None,
            vae_tiling: None,
        }
    }
}

setters! {
    ImageRequest {
        plain steps: u32;
        plain cfg_scale: f32;
        plain distilled_guidance: f32;
        plain batch: u32;
        plain shifted_timestep: u32;
        plain custom_sigmas: Vec<f32>;
        plain denoising_strength: f32;
        some image_cfg_scale: f32;
        some sampler: Sampler;
        some scheduler: Scheduler;
        some seed: i64;
        some clip_skip: u32;
        some eta: f32;
        some flow_shift: f32;
        text extra_sample_args;
        some vae_tiling: VaeTiling;
    }
}

impl ImageRequest {
    /// A request for `prompt`, everything else by default.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Sets [`negative_prompt`](Self#structfield.negative_prompt).
    #[must_use]
    pub fn negative_prompt(mut self, prompt: impl Into<String>) -> Self {
        self.negative_prompt = prompt.into();
        self
    }

    /// Sets [`width`](Self#structfield.width) and [`height`](Self#structfield.height).
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Sets [`init_image`](Self#structfield.init_image) from any picture: grey becomes RGB, 16 bits
    /// become 8, and transparent parts are laid on white, as A1111 does.
    #[must_use]
    pub fn init_image(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.init_image = Some(on_white(picture.into()));
        self
    }

    /// Sets [`mask`](Self#structfield.mask) from any picture, by its brightness.
    #[must_use]
    pub fn mask(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.mask = Some(brightness(picture.into()));
        self
    }

    /// Checks every value that can be checked without a model.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        validate::prompt("prompt", &self.prompt)?;
        validate::prompt("negative_prompt", &self.negative_prompt)?;
        validate::range("width", self.width, 1..=MAX_SIDE)?;
        validate::range("height", self.height, 1..=MAX_SIDE)?;
        validate::range("steps", self.steps, 1..=MAX_STEPS)?;
        validate::range("batch", self.batch, 1..=MAX_BATCH)?;
        validate::range("cfg_scale", self.cfg_scale, -100.0..=100.0)?;
        validate::range("distilled_guidance", self.distilled_guidance, 0.0..=100.0)?;
        validate::range("denoising_strength", self.denoising_strength, 0.0..=1.0)?;
        validate::range("shifted_timestep", self.shifted_timestep, 0..=1000)?;
        for (field, value, allowed) in [
            ("image_cfg_scale", self.image_cfg_scale, -100.0..=100.0),
            ("eta", self.eta, 0.0..=100.0),
            ("flow_shift", self.flow_shift, f32::MIN_POSITIVE..=100.0),
        ] {
            if let Some(value) = value {
                validate::range(field, value, allowed)?;
            }
        }
        if let Some(clip_skip) = self.clip_skip {
            validate::range("clip_skip", clip_skip, 1..=12)?;
        }
        // The engine adds the picture's index to the seed.
        if let Some(seed) = self.seed {
            validate::range("seed", seed, i64::MIN..=i64::MAX - i64::from(MAX_BATCH))?;
        }
        if let Some(args) = &self.extra_sample_args {
            validate::text("extra_sample_args", args)?;
        }
        self.check_sigmas()?;
        self.check_steps_with(self.scheduler)?;
        self.check_pictures()?;
        if let Some(tiling) = &self.vae_tiling {
            validate::range("vae_tiling.tile_size", tiling.tile_size.0, 4..=4096)?;
            validate::range("vae_tiling.tile_size", tiling.tile_size.1, 4..=4096)?;
            validate::range("vae_tiling.overlap", tiling.overlap, 0.0..=0.5)?;
        }
        Ok(())
    }

    /// Steps that are run: own sigmas have their own number.
    pub(crate) fn effective_steps(&self) -> u32 {
        match u32::try_from(self.custom_sigmas.len()) {
            Ok(0) | Err(_) => self.steps,
            Ok(sigmas) => sigmas - 1,
        }
    }

    fn check_sigmas(&self) -> Result<()> {
        let sigmas = &self.custom_sigmas;
        let invalid = |value: String| {
            Err(Error::invalid(
                "custom_sigmas",
                value,
                "none, or two or more finite numbers from 0 up, each less than the one before",
            ))
        };
        if sigmas.len() == 1 || sigmas.len() > MAX_STEPS as usize + 1 {
            return invalid(format!("a list of {}", sigmas.len()));
        }
        if let Some(bad) = sigmas.iter().find(|s| !s.is_finite() || **s < 0.0) {
            return invalid(format!("a list with {bad}"));
        }
        if let (Some(scheduler), false) = (self.scheduler, sigmas.is_empty()) {
            return Err(Error::invalid(
                "custom_sigmas",
                format!("set together with the scheduler {scheduler}"),
                "one of the two",
            ));
        }
        if !sigmas.is_sorted_by(|a, b| a > b) {
            return invalid("a list that does not fall".to_owned());
        }
        Ok(())
    }

    /// With one step these divide by zero.
    pub(crate) fn check_steps_with(&self, scheduler: Option<Scheduler>) -> Result<()> {
        use Scheduler::{Exponential, Gits, Karras};
        match scheduler {
            Some(scheduler @ (Karras | Exponential | Gits))
                if self.steps < 2 && self.custom_sigmas.is_empty() =>
            {
                Err(Error::invalid(
                    "steps",
                    self.steps,
                    format!("at least 2 with the scheduler {scheduler}"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn check_pictures(&self) -> Result<()> {
        let size = |width: u32, height: u32| format!("{width}x{height}");
        if let Some(init) = &self.init_image {
            let (width, height) = init.dimensions();
            if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
                return Err(Error::invalid(
                    "init_image",
                    size(width, height),
                    format!("1 to {MAX_SIDE} pixels a side"),
                ));
            }
        }
        match (&self.mask, &self.init_image) {
            (Some(_), None) => Err(Error::invalid(
                "mask",
                "set without init_image",
                "a mask together with the picture it is for",
            )),
            (Some(mask), Some(init)) if mask.dimensions() != init.dimensions() => {
                Err(Error::invalid(
                    "mask",
                    size(mask.width(), mask.height()),
                    format!("the size of init_image, {}", size(init.width(), init.height())),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// RGB with transparent parts laid on white.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (from, to) in rgba.pixels().zip(rgb.pixels_mut()) {
        let [r, g, b, alpha] = from.0.map(u32::from);
        let blend = |c: u32| ((c * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        *to = Rgb([blend(r), blend(g), blend(b)]);
    }
    rgb
}

/// Brightness; a mask painted on a transparent canvas keeps what is transparent.
fn brightness(picture: DynamicImage) -> GrayImage {
    if !picture.color().has_alpha() {
        return picture.into_luma8();
    }
    let with_alpha = picture.into_luma_alpha8();
    let mut mask = GrayImage::new(with_alpha.width(), with_alpha.height());
    for (from, to) in with_alpha.pixels().zip(mask.pixels_mut()) {
        let [luma, alpha] = from.0.map(u16::from);
        to.0 = [(luma * alpha / 255) as u8];
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, LumaA, Rgba};
    use proptest::prelude::*;

    fn refused(request: ImageRequest) -> String {
        request.check().unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_valid() {
        assert!(ImageRequest::new("a cat").check().is_ok());
    }

    #[test]
    fn every_field_is_checked_by_name() {
        let new = || ImageRequest::new("x");
        let sigmas = |s: &[f32]| new().custom_sigmas(s.to_vec());
        let cases = [
            (ImageRequest::new("a\0b"), "prompt is"),
            (new().negative_prompt("(a:.)"), "negative_prompt is"),
            (new().size(0, 64), "width is 0"),
            (new().size(64, 0), "height is 0"),
            (new().size(u32::MAX, 64), "width is 4294967295"),
            (new().steps(0), "steps is 0"),
            (new().steps(5000), "steps is 5000"),
            (new().batch(0), "batch is 0"),
            (new().cfg_scale(f32::NAN), "cfg_scale is NaN"),
            (new().distilled_guidance(-1.0), "distilled_guidance is -1"),
            (new().denoising_strength(1.5), "denoising_strength is 1.5"),
            (new().denoising_strength(-0.1), "denoising_strength is -0.1"),
            (new().image_cfg_scale(f32::INFINITY), "image_cfg_scale is inf"),
            (new().eta(-1.0), "eta is -1"),
            (new().flow_shift(0.0), "flow_shift is 0"),
            (new().clip_skip(0), "clip_skip is 0"),
            (new().seed(i64::MAX), "seed is 9223372036854775807"),
            (sigmas(&[1.0]), "custom_sigmas is a list of 1"),
            (sigmas(&[1.0, f32::NAN]), "custom_sigmas is a list with NaN"),
            (sigmas(&[1.0, 2.0]), "custom_sigmas is a list that does not fall"),
            (new().steps(1).scheduler(Scheduler::Karras), "steps is 1; allowed: at least 2"),
            (new().steps(1).scheduler(Scheduler::Gits), "steps is 1"),
            (new().steps(1).scheduler(Scheduler::Exponential), "steps is 1"),
            (new().mask(GrayImage::new(4, 4)), "mask is set without init_image"),
            (
                new().init_image(RgbImage::new(8, 8)).mask(GrayImage::new(4, 4)),
                "mask is 4x4; allowed: the size of init_image, 8x8",
            ),
            (new().init_image(RgbImage::new(0, 0)), "init_image is 0x0"),
            (
                new().vae_tiling(VaeTiling { tile_size: (1, 32), overlap: 0.5 }),
                "vae_tiling.tile_size is 1",
            ),
            (
                new().vae_tiling(VaeTiling { overlap: 1.0, ..VaeTiling::default() }),
                "vae_tiling.overlap is 1",
            ),
        ];
        for (request, start) in cases {
            let text = refused(request);
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
    }

    #[test]
    fn one_step_is_fine_where_the_scheduler_can() {
        assert!(ImageRequest::new("x").steps(1).scheduler(Scheduler::Discrete).check().is_ok());
        let own = ImageRequest::new("x").steps(1).custom_sigmas(vec![1.0, 0.0]);
        assert!(own.check().is_ok());
        let both = refused(own.scheduler(Scheduler::Karras));
        assert!(both.contains("together with the scheduler karras"), "{both}");
    }

    #[test]
    fn input_pictures_of_any_kind_become_rgb() {
        let grey = image::ImageBuffer::from_pixel(2, 2, Luma([90_u8]));
        assert_eq!(
            ImageRequest::new("").init_image(grey).init_image.unwrap().get_pixel(0, 0).0,
            [90, 90, 90]
        );
        let clear = image::ImageBuffer::from_pixel(2, 2, Rgba([10_u8, 20, 30, 0]));
        assert_eq!(
            ImageRequest::new("").init_image(clear).init_image.unwrap().get_pixel(1, 1).0,
            [255, 255, 255]
        );
        let half = image::ImageBuffer::from_pixel(1, 1, Rgba([0_u8, 0, 0, 128]));
        assert_eq!(
            ImageRequest::new("").init_image(half).init_image.unwrap().get_pixel(0, 0).0,
            [127, 127, 127]
        );
        let stroke = image::ImageBuffer::from_pixel(1, 1, LumaA([255_u8, 0]));
        assert_eq!(ImageRequest::new("").mask(stroke).mask.unwrap().get_pixel(0, 0).0, [0]);
    }

    proptest! {
        #[test]
        fn no_request_panics(
            width: u32, height: u32, steps: u32, batch: u32, cfg: f32, strength: f32, seed: i64,
            sigmas in proptest::collection::vec(any::<f32>(), 0..5), prompt in "\\PC{0,40}",
        ) {
            let request = ImageRequest::new(prompt)
                .size(width, height).steps(steps).batch(batch).cfg_scale(cfg)
                .denoising_strength(strength).seed(seed).custom_sigmas(sigmas);
            let _ = request.check();
        }
    }
}
