//! Drawing pictures.

use crate::{
    Context, Error, Generated, ImageRequest, Picture, Result, Sampler, VaeTiling, Warning, Watch,
    canvas::{Canvas, rounded_up},
    context::{main_file, random_seed},
    engine::{ImageJob, Images, Outcome},
    infotext::{self, Facts},
    lora::{self, Lora},
    model_file, references, validate,
};
use image::RgbImage;
use std::{borrow::Cow, fs, io::Read as _, path::Path, sync::Arc};

/// A request in the form that the engine gets.
struct Prepared<'a> {
    sampler: Sampler,
    prompt: Cow<'a, str>,
    loras: Cow<'a, [Lora]>,
    canvas: Canvas<'a>,
    references: Vec<Cow<'a, RgbImage>>,
}

impl Context {
    /// Draws.
    ///
    /// # Errors
    /// Those of [`ImageRequest::check`]; [`Error::Unsupported`] for what this model cannot do;
    /// [`Error::InsufficientMemory`] before it begins, [`Error::OutOfMemory`], [`Error::TextEncoder`], [`Error::Sampling`], [`Error::Vae`],
    /// [`Error::ModelLoad`] (weights are read at the first picture), [`Error::EngineAssertion`], or
    /// [`Error::Poisoned`] after an assertion or a C++ exception (`std::bad_alloc` is one), which
    /// leave the engine's state unknown. A failure the engine reports by itself poisons nothing.
    pub fn generate(&mut self, request: &ImageRequest) -> Result<Generated> {
        self.generate_with(request, Watch::new())
    }

    /// Draws, watched by `watch`, which can stop it.
    ///
    /// # Errors
    /// As [`Context::generate`], and [`Error::Cancelled`], [`Error::DeadlineExceeded`] or
    /// [`Error::CallbackPanicked`], after which the context can be used again.
    pub fn generate_with(&mut self, request: &ImageRequest, watch: Watch<'_>) -> Result<Generated> {
        self.check_usable()?;
        request.check()?;
        self.check_watch(&watch)?;
        let Prepared { sampler, prompt, loras, canvas, references } = self.prepare(request)?;
        let (width, height) = canvas.size();
        let job = ImageJob {
            request,
            prompt: &prompt,
            loras: &loras,
            init_image: canvas.init_image(),
            mask: canvas.mask(),
            control_image: canvas.control_image(),
            references: references.iter().map(AsRef::as_ref).collect(),
            width,
            height,
            sampler,
            seed: request.seed.filter(|seed| *seed >= 0).unwrap_or_else(random_seed),
        };
        let (images, outcome) = self.raw.generate(&job, watch)?;
        let (images, outcome) = self.finish(images, outcome)?;
        let mut generated = self.collect(&job, images, outcome);
        if canvas.has_finish() {
            generated.finish(|drawn| canvas.finish(drawn));
        }
        Ok(generated)
    }

    /// What [`generate`](Self::generate) would refuse before the engine is called, without drawing: the
    /// memory counts as taken afterwards.
    pub(crate) fn check_can_draw(&mut self, request: &ImageRequest) -> Result<()> {
        self.check_usable()?;
        request.check()?;
        self.prepare(request).map(drop)
    }

    /// For a request that was checked: whether this model can draw it, and there is memory for it.
    fn prepare<'a>(&mut self, request: &'a ImageRequest) -> Result<Prepared<'a>> {
        let sampler = request.sampling.sampler.unwrap_or_else(|| self.default_sampler());
        self.check_image_request(request, sampler)?;
        let (prompt, loras) = self.resolve_prompt(&request.prompt, &request.loras)?;
        if let Some(photo_maker) = &request.photo_maker {
            photo_maker.check(&prompt)?;
        }
        let canvas = Canvas::new(request, self.family.multiple())?;
        let (width, height) = canvas.size();
        let drawn = rounded_up(width, height, self.family.multiple());
        let references = references::prepare(request, drawn, self.family.reference_factor())?;
        self.admission.check_image(&self.engine, &self.config, request)?;
        Ok(Prepared { sampler, prompt, loras, canvas, references })
    }

    fn collect(&self, job: &ImageJob<'_>, images: Images, outcome: Outcome) -> Generated {
        let mut warnings = outcome.lines.warnings;
        let mut request = Cow::Borrowed(job.request);
        if warnings.contains(&Warning::DecodedInTiles) {
            // As it was drawn, so that it can be drawn again.
            request.to_mut().vae_tiling = Some(VaeTiling::default());
        }
        let images = Arc::new(images);
        let model = main_file(&self.config).file_stem().unwrap_or_default().to_string_lossy();
        let pictures: Vec<_> = (0..images.len())
            .zip(job.seed..)
            .map(|(index, seed)| {
                let shape = images.shape(index);
                let facts = Facts {
                    sampler: job.sampler,
                    scheduler: request.sampling.scheduler,
                    steps: request.sampling.effective_steps(),
                    seed,
                    rng: self.config.rng,
                    width: shape.width,
                    height: shape.height,
                    model: &model,
                };
                let parameters = infotext::write(&request, &facts);
                Picture::new(Arc::clone(&images), index, seed, parameters)
            })
            .collect();
        Warning::add_uniform(&mut warnings, &pictures);
        Generated {
            width: images.shape(0).width,
            height: images.shape(0).height,
            seeds: pictures.iter().map(Picture::seed).collect(),
            images: pictures,
            timings: outcome.timings,
            warnings,
        }
    }

    /// What does not go together with this model. The engine would ignore it, or fail late.
    fn check_image_request(&self, request: &ImageRequest, sampler: Sampler) -> Result<()> {
        let family = &self.family;
        let unsupported = |what: String, reason: String| Err(Error::Unsupported { what, reason });
        if !self.raw.makes_images() {
            let reason = format!("{family} is a video model; use generate_video");
            return unsupported("drawing single pictures".to_owned(), reason);
        }
        let scheduler = self.check_sampling(&request.sampling, sampler)?;
        if let Some(hires) = &request.hires {
            hires.check_steps_with(&request.sampling, scheduler)?;
            if let Some(model) = &hires.model {
                self.check_file("hires.model", model)?;
            }
            if request.control_image.is_some() {
                return Err(Error::invalid(
                    "hires",
                    "set together with control_image",
                    "one of the two: the engine does not enlarge the control picture",
                ));
            }
            if family.is_inpaint() || family.is_unet_edit() || family.is_control() {
                return unsupported(
                    format!("hires fix with {family}"),
                    "the engine does not enlarge the picture this model gets as input".to_owned(),
                );
            }
        }
        if let Some(cache) = &request.step_cache {
            cache.check_model(family.transformer, family.name())?;
        }
        if request.control_image.is_some()
            && self.config.control_net.is_none()
            && !family.is_control()
        {
            return Err(Error::invalid(
                "control_image",
                format!("set with {family} and no ControlNet"),
                "a control picture with a control_net in the configuration",
            ));
        }
        if !request.reference_images.is_empty() && !family.takes_references() {
            return unsupported(
                format!("reference images with {family}"),
                "the model takes none; use init_image, or a model that edits (FLUX Kontext, \
                 FLUX.2, Qwen-Image-Edit, InstructPix2Pix)"
                    .to_owned(),
            );
        }
        if request.reference_images.is_empty()
            && (family.needs_reference() || family.is_unet_edit())
        {
            return Err(Error::invalid(
                "reference_images",
                format!("empty with {family}"),
                "at least one picture to edit",
            ));
        }
        let encodes = request.init_image.is_some() || !request.reference_images.is_empty();
        let tiny = self.config.taesd.is_some() && !self.config.taesd_preview_only;
        if encodes && tiny && family.taesd_only_decodes() {
            return unsupported(
                format!("input pictures with {family} and a TAESD"),
                "its tiny autoencoder only decodes; give the VAE too, with taesd_preview_only"
                    .to_owned(),
            );
        }
        if family.is_inpaint() && request.mask.is_none() {
            return Err(Error::invalid(
                "mask",
                format!("not set with {family}"),
                "an init_image and a mask: this model repaints what the mask shows",
            ));
        }
        self.check_photo_maker(request)
    }

    /// The prompt without its tags of LoRAs, and all LoRAs, which fit this model.
    pub(crate) fn resolve_prompt<'a>(
        &mut self,
        prompt: &'a str,
        loras: &'a [Lora],
    ) -> Result<(Cow<'a, str>, Cow<'a, [Lora]>)> {
        let folder = self.config.lora_folder.as_deref();
        let (prompt, loras) = lora::resolve(prompt, loras, folder)?;
        self.check_loras(&loras)?;
        // Without its tags it may be another.
        validate::prompt("prompt", &prompt)?;
        Ok((prompt, loras))
    }

    /// The files of LoRAs, which the engine would leave out with a warning if it cannot read them.
    fn check_loras(&mut self, loras: &[Lora]) -> Result<()> {
        if self.engine().mock {
            return Ok(());
        }
        loras.iter().try_for_each(|lora| self.check_file("loras", &lora.path))?;
        self.bases.check_loras(&self.config, loras)
    }

    pub(crate) fn check_file(&self, role: &'static str, path: &Path) -> Result<()> {
        if self.engine().mock {
            return Ok(());
        }
        model_file::check(role, path, self.config.trust())
    }

    fn check_photo_maker(&self, request: &ImageRequest) -> Result<()> {
        let Some(photo_maker) = &request.photo_maker else { return Ok(()) };
        let Some(model) = &self.config.photo_maker else {
            return Err(Error::invalid(
                "photo_maker",
                "set without the model",
                "photographs with a photo_maker in the configuration",
            ));
        };
        if !self.family.is_sdxl() {
            return Err(Error::Unsupported {
                what: format!("PhotoMaker with {}", self.family),
                reason: "it is made for SDXL".to_owned(),
            });
        }
        // The engine tells the versions apart by this part of the path.
        let second = model.to_string_lossy().contains("v2");
        match &photo_maker.id_embed {
            None if second => Err(Error::invalid(
                "photo_maker.id_embed",
                "not set",
                "the file of face embeddings that version 2 needs",
            )),
            Some(_) if !second => Err(Error::invalid(
                "photo_maker.id_embed",
                "set with version 1",
                "none, or a PhotoMaker of version 2, with v2 in its path",
            )),
            Some(path) => check_id_embed(path, photo_maker.id_images.len()),
            None => Ok(()),
        }
    }
}

/// The engine reads this file unchecked: three numbers (dimensions, length of the name, type), the
/// dimensions, the name, and 32-bit floats.
fn check_id_embed(path: &Path, photographs: usize) -> Result<()> {
    const ROLE: &str = "photo_maker.id_embed";
    const MOST_NAME: u64 = 1024;
    let unreadable = |source| Error::file(ROLE, path, source);
    let length = path.metadata().map_err(unreadable)?.len();
    let mut start = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(20).read_to_end(&mut start).map_err(unreadable)?;
    let numbers: Vec<u64> = start
        .chunks_exact(4)
        .filter_map(|bytes| Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?))))
        .collect();
    let wrong =
        |reason: String| Err(Error::NotAModel { role: ROLE.into(), path: path.to_owned(), reason });
    let [dimensions, name, kind, width, rows] = numbers[..] else {
        return wrong("it is too short".to_owned());
    };
    let floats = width.checked_mul(rows).and_then(|n| n.checked_mul(4));
    let whole = floats.and_then(|bytes| bytes.checked_add(20 + name)) == Some(length);
    if dimensions != 2 || kind != 0 || name > MOST_NAME || !whole {
        return wrong("it is no table of 32-bit floats".to_owned());
    }
    if usize::try_from(rows) != Ok(photographs) {
        return wrong(format!("it is of {rows} faces, and there are {photographs} photographs"));
    }
    Ok(())
}
