//! What to draw.

use crate::{
    Error, HiresFix, Inpaint, Lora, Outpaint, PhotoMaker, Result, Sampling, StepCache, VaeTiling,
    canvas,
    input::{brightness, on_white},
    lora::check_negative,
    sampling::sampling_setters,
    setters::setters,
    validate,
};
use image::{DynamicImage, GrayImage, RgbImage};

/// The largest width or height, in pixels. The engine counts the values of a picture in an int, which
/// a picture of this size and four channels fills to half.
pub const MAX_SIDE: u32 = 16_384;
/// The largest batch.
pub const MAX_BATCH: u32 = 1024;
/// The most reference pictures: each costs as much memory as the picture itself.
pub const MAX_REFERENCES: usize = 16;

/// One picture, or a batch of them.
///
/// Fields may be set directly or by the methods of the same names, lists also picture by picture or
/// LoRA by LoRA; where a field names no default it is absent or empty.
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
///
/// # Several pictures
/// Each has a seed one higher than the one before:
///
/// ```no_run
/// # use sdcpp::{Context, ImageRequest, ModelConfig};
/// # fn main() -> sdcpp::Result<()> {
/// # let mut context = Context::new(ModelConfig::new("sd15.safetensors"))?;
/// let generated = context.generate(&ImageRequest::new("a lighthouse").seed(42).batch(3))?;
/// assert_eq!(generated.seeds, [42, 43, 44]);
/// for picture in &generated.images {
///     picture.save(format!("lighthouse-{}.png", picture.seed()))?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// # From a picture
/// Redrawn (img2img), repainted where a mask is white (inpainting), and continued beyond its borders
/// (outpainting):
///
/// ```no_run
/// use sdcpp::{ImageRequest, Inpaint, InpaintArea, Outpaint, open_picture};
///
/// # fn main() -> sdcpp::Result<()> {
/// let photo = open_picture("photo.jpg")?;
///
/// let painted = ImageRequest::new("an oil painting of a village")
///     .init_image(photo.clone())
///     .size(768, 512)
///     .denoising_strength(0.6);
///
/// let repainted = ImageRequest::new("a red door")
///     .init_image(photo.clone())
///     .mask(open_picture("mask.png")?)
///     .inpaint(Inpaint::new().mask_blur(4).area(InpaintArea::OnlyMasked { padding: 32 }));
///
/// let wider = ImageRequest::new("a village in the hills")
///     .init_image(photo)
///     .outpaint(Outpaint::new(256, 256, 0, 0))
///     .denoising_strength(1.0);
/// # drop((painted, repainted, wider));
/// # Ok(())
/// # }
/// ```
///
/// # With references
/// For models that edit (FLUX Kontext, Qwen-Image-Edit…); the prompt says what to change:
///
/// ```no_run
/// use sdcpp::{ImageRequest, open_picture};
///
/// # fn main() -> sdcpp::Result<()> {
/// let edited = ImageRequest::new("the person from the first picture wears the hat of the second")
///     .reference_image(open_picture("person.png")?)
///     .reference_image(open_picture("hat.png")?)
///     .increase_reference_index(true)
///     .cfg_scale(1.0)
///     .size(1024, 1024);
/// # drop(edited);
/// # Ok(())
/// # }
/// ```
///
/// # Text encoder
/// Anime models are often made for the last layer but one of CLIP:
///
/// ```
/// let request = sdcpp::ImageRequest::new("1girl, garden").clip_skip(2);
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct ImageRequest {
    /// What to draw. At most 32 KiB; weights as in `(word:1.2)`, within ±1000; LoRAs as in
    /// `<lora:name:0.8>` where the configuration has a
    /// [`lora_folder`](crate::ModelConfig::lora_folder).
    pub prompt: String,
    /// What to avoid; at most 32 KiB, weights as in the prompt. Without effect at a [`cfg_scale`](Sampling::cfg_scale) of 1.
    pub negative_prompt: String,
    /// Width in pixels, 1 to [`MAX_SIDE`]. The engine rounds up to what the model can draw: a
    /// multiple of 64 for UNets, 8 for most transformers. Default 512.
    pub width: u32,
    /// Height in pixels, as the width. Default 512.
    pub height: u32,
    /// Steps, guidance, sampler and scheduler.
    #[cfg_attr(feature = "schema", schemars(flatten))]
    pub sampling: Sampling,
    /// The seed of the first picture; each next one has one more. At most the largest `i64` less
    /// [`MAX_BATCH`]. Absent or negative: drawn at random and reported in
    /// [`Generated::seeds`](crate::Generated::seeds).
    pub seed: Option<i64>,
    /// How many pictures, 1 to [`MAX_BATCH`]. Default 1.
    pub batch: u32,
    /// CLIP layers to leave out at the end, 1 to 12; the model's own when absent. 1 is none.
    pub clip_skip: Option<u32>,
    /// LoRAs, besides those that the prompt names; at most 64.
    pub loras: Vec<Lora>,
    /// A picture to start from (img2img), resized to the size of the request (Lanczos), whatever its
    /// shape.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::json::schema::Base64Picture>"))]
    pub init_image: Option<RgbImage>,
    /// How much of the [`init_image`](Self::init_image) may change, 0 to 1 (A1111's denoising
    /// strength). 0 keeps it, but for one step; 1 ignores it. Default 0.75.
    pub denoising_strength: f32,
    /// Where the [`init_image`](Self::init_image) may change (inpainting): white repaints, black
    /// keeps, divided at half. Of the same size as it.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::json::schema::Base64Picture>"))]
    pub mask: Option<GrayImage>,
    /// How the [`mask`](Self::mask) counts, and what is kept. Default: as the engine does it.
    pub inpaint: Inpaint,
    /// Continues the [`init_image`](Self::init_image) beyond its borders. The result has its size
    /// and what is added; width and height of the request do not count.
    pub outpaint: Option<Outpaint>,
    /// Pictures the model edits or takes things from (FLUX Kontext, FLUX.2, Qwen-Image-Edit,
    /// InstructPix2Pix…), at most [`MAX_REFERENCES`].
    #[cfg_attr(feature = "schema", schemars(with = "Vec<crate::json::schema::Base64Picture>"))]
    pub reference_images: Vec<RgbImage>,
    /// Whether references are resized to about as many pixels as the picture has, 1024² at most,
    /// with their own aspect ratio. Default: yes; otherwise they keep their own size, brought up to a
    /// multiple of 16.
    pub resize_references: bool,
    /// Whether each reference gets a position index of its own (FLUX Kontext with several
    /// references), rather than all one. Default: no.
    pub increase_reference_index: bool,
    /// The picture that a ControlNet follows
    /// ([`ModelConfig::control_net`](crate::ModelConfig::control_net)), or a model with control
    /// input of its own (FLUX Control); see [`canny`](crate::canny). Resized to the size of the
    /// request.
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::json::schema::Base64Picture>"))]
    pub control_image: Option<RgbImage>,
    /// How strongly the ControlNet counts, 0 to 10; at 0 not at all. Default 0.9.
    pub control_strength: f32,
    /// Photographs of a person to draw.
    pub photo_maker: Option<PhotoMaker>,
    /// Decodes in tiles, for less memory.
    pub vae_tiling: Option<VaeTiling>,
    /// Decodes again in tiles (those of [`VaeTiling::default`]) if memory runs out while decoding in
    /// one piece; [`Warning::DecodedInTiles`](crate::Warning::DecodedInTiles) says so. Without
    /// effect with [`vae_tiling`](Self::vae_tiling). Default: no.
    pub vae_tiling_fallback: bool,
    /// Skips work in steps that change little.
    pub step_cache: Option<StepCache>,
    /// A second pass at a larger size.
    pub hires: Option<HiresFix>,
}

impl Default for ImageRequest {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            negative_prompt: String::new(),
            width: 512,
            height: 512,
            sampling: Sampling::default(),
            seed: None,
            batch: 1,
            clip_skip: None,
            loras: Vec::new(),
            init_image: None,
            denoising_strength: 0.75,
            mask: None,
            inpaint: Inpaint::default(),
            outpaint: None,
            reference_images: Vec::new(),
            resize_references: true,
            increase_reference_index: false,
            control_image: None,
            control_strength: 0.9,
            photo_maker: None,
            vae_tiling: None,
            vae_tiling_fallback: false,
            step_cache: None,
            hires: None,
        }
    }
}

sampling_setters!(ImageRequest);

setters! {
    ImageRequest {
        into prompt: String;
        into negative_prompt: String;
        plain width: u32;
        plain height: u32;
        plain sampling: Sampling;
        into loras: Vec<Lora>;
        plain batch: u32;
        plain denoising_strength: f32;
        plain inpaint: Inpaint;
        plain resize_references: bool;
        plain increase_reference_index: bool;
        plain control_strength: f32;
        plain vae_tiling_fallback: bool;
        some seed: i64;
        some clip_skip: u32;
        some outpaint: Outpaint;
        some photo_maker: PhotoMaker;
        some vae_tiling: VaeTiling;
        some step_cache: StepCache;
        some hires: HiresFix;
    }
}

impl ImageRequest {
    /// A request for `prompt`, everything else by default.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: prompt.into(), ..Self::default() }
    }

    /// Sets [`width`](Self#structfield.width) and [`height`](Self#structfield.height).
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Adds a LoRA.
    #[must_use]
    pub fn lora(mut self, lora: Lora) -> Self {
        self.loras.push(lora);
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

    /// Adds a [reference](Self#structfield.reference_images) from any picture.
    #[must_use]
    pub fn reference_image(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.reference_images.push(on_white(picture.into()));
        self
    }

    /// Sets [`reference_images`](Self#structfield.reference_images) from any pictures.
    #[must_use]
    pub fn reference_images(
        mut self,
        pictures: impl IntoIterator<Item = impl Into<DynamicImage>>,
    ) -> Self {
        self.reference_images = pictures.into_iter().map(|p| on_white(p.into())).collect();
        self
    }

    /// Sets [`control_image`](Self#structfield.control_image) from any picture.
    #[must_use]
    pub fn control_image(mut self, picture: impl Into<DynamicImage>) -> Self {
        self.control_image = Some(on_white(picture.into()));
        self
    }

    /// Checks every value that can be checked without a model.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] with the field, its value and what is allowed.
    pub fn check(&self) -> Result<()> {
        validate::prompt("prompt", &self.prompt)?;
        validate::prompt("negative_prompt", &self.negative_prompt)?;
        check_negative(&self.negative_prompt)?;
        validate::range("width", self.width, 1..=MAX_SIDE)?;
        validate::range("height", self.height, 1..=MAX_SIDE)?;
        validate::range("batch", self.batch, 1..=MAX_BATCH)?;
        validate::range("denoising_strength", self.denoising_strength, 0.0..=1.0)?;
        validate::range("control_strength", self.control_strength, 0.0..=10.0)?;
        validate::clip_skip_and_seed(self.clip_skip, self.seed)?;
        self.sampling.check()?;
        Lora::check_all(&self.loras)?;
        self.check_pictures()?;
        if let Some(photo_maker) = &self.photo_maker {
            photo_maker.check(&self.prompt)?;
        }
        if let Some(tiling) = &self.vae_tiling {
            tiling.check()?;
        }
        if let Some(cache) = &self.step_cache {
            cache.check()?;
        }
        match &self.hires {
            Some(hires) => hires.check(self.width, self.height, &self.sampling),
            None => Ok(()),
        }
    }

    fn check_pictures(&self) -> Result<()> {
        let size = |(width, height): (u32, u32)| format!("{width}x{height}");
        for (field, picture) in [
            ("init_image", self.init_image.as_ref()),
            ("control_image", self.control_image.as_ref()),
        ] {
            if let Some(picture) = picture {
                validate::picture(field, picture.dimensions())?;
            }
        }
        if self.reference_images.len() > MAX_REFERENCES {
            return Err(Error::invalid(
                "reference_images",
                format!("a list of {}", self.reference_images.len()),
                format!("at most {MAX_REFERENCES}"),
            ));
        }
        for picture in &self.reference_images {
            validate::picture("reference_images", picture.dimensions())?;
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
                    size(mask.dimensions()),
                    format!("the size of init_image, {}", size(init.dimensions())),
                ))
            }
            _ => canvas::check(self),
        }
    }
}

#[cfg(test)]
mod tests;
