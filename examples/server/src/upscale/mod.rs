//! Enlarging pictures: one request at a time, by an ESRGAN model or without one.

mod folder;
mod plan;
mod queue;

pub(crate) use folder::{Esrgan, Folder};
use plan::passes;
pub(crate) use plan::{Method, Plan, Target};
use queue::{Open, Queue, Turn};

use crate::{error::ApiError, options::Options, pictures};
use image::{
    RgbImage,
    imageops::{self, FilterType},
};
use sdcpp::{Engine, Parameters, Picture, Upscaler, UpscalerConfig};
use std::{path::Path, sync::Arc, time::Duration};

/// A picture that was enlarged.
pub(crate) struct Enlarged {
    /// A PNG, with the "parameters" text that the given file had.
    pub(crate) png: Vec<u8>,
}

/// What enlarges.
#[derive(Clone)]
pub(crate) struct Upscaling(Arc<Inner>);

struct Inner {
    engine: Engine,
    folder: Folder,
    threads: Option<u32>,
    /// Pixels that all pictures of a request may have.
    most_pixels: u64,
    queue: Queue,
}

impl Upscaling {
    /// As the options say. In mock mode there are no models.
    ///
    /// # Errors
    /// There is no such folder.
    pub(crate) fn new(engine: &Engine, options: &Options) -> Result<Self, ApiError> {
        let folder = Folder::new(options.upscalers.clone())?;
        Ok(Self(Arc::new(Inner {
            engine: engine.clone(),
            folder: if options.is_mock() { Folder::default() } else { folder },
            threads: options.threads,
            most_pixels: options.most_pixels(),
            queue: Queue::new(options.queue_limit(), options.time_limit()),
        })))
    }

    /// The models that there are.
    pub(crate) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// Requests that wait or run.
    pub(crate) fn open(&self) -> usize {
        self.0.queue.open()
    }

    /// Stops the request that runs; those that wait go on.
    pub(crate) fn interrupt(&self) {
        self.0.queue.interrupt();
    }

    /// Enlarges pictures, or with no plan leaves them as they are. They are base64 of files, each with the
    /// name of its field. A client that goes away has this future dropped, and the engine stopped with it.
    ///
    /// # Errors
    /// What is wrong with a picture, that too many wait, that the time limit passed, and those of the
    /// engine.
    pub(crate) async fn enlarge(
        &self,
        given: Vec<(String, String)>,
        plan: Option<Plan>,
    ) -> Result<Vec<Enlarged>, ApiError> {
        let this = self.clone();
        self.0
            .queue
            .run(move |turn| {
                let mut pixels = 0;
                given
                    .iter()
                    .map(|(field, text)| {
                        this.picture(turn, field, text, plan.as_ref(), &mut pixels)
                    })
                    .collect()
            })
            .await
    }

    /// Takes nothing more on, waits for what was taken, and stops what takes longer than `limit`.
    pub(crate) async fn drain(self, limit: Duration) {
        self.0.queue.drain(limit).await;
    }

    fn picture(
        &self,
        turn: &mut Turn,
        field: &str,
        text: &str,
        plan: Option<&Plan>,
        pixels: &mut u64,
    ) -> Result<Enlarged, ApiError> {
        let bytes = pictures::bytes(field, text)?;
        // Before it is decoded.
        let given = pictures::size(field, &bytes)?;
        let size = plan.map_or(Ok(given), |plan| plan.size(given))?;
        *pixels += u64::from(size.0) * u64::from(size.1);
        if *pixels > self.0.most_pixels {
            let allowed = format!("up to {} on this server", self.0.most_pixels);
            return Err(ApiError::invalid("the pixels of all pictures", *pixels, &allowed));
        }
        turn.check()?;
        let mut picture = pictures::on_white(pictures::decoded(field, &bytes)?);
        if let Some(plan) = plan {
            let mut result = self.by(turn, &plan.method, &picture, size)?;
            if let Some((method, share)) = &plan.second {
                let second = self.by(turn, method, &picture, size)?;
                blend(&mut result, &second, *share);
            }
            picture = plan.cropped(result);
        }
        let text = Parameters::text_from_bytes(&bytes)?.unwrap_or_default();
        let picture = Picture::from(picture).with_parameters(text);
        Ok(Enlarged { png: picture.to_png()? })
    }

    /// By one method, to exactly this size.
    fn by(
        &self,
        turn: &mut Turn,
        method: &Method,
        picture: &RgbImage,
        to: (u32, u32),
    ) -> Result<RgbImage, ApiError> {
        turn.check()?;
        let resized = |picture: &RgbImage, filter| imageops::resize(picture, to.0, to.1, filter);
        let model = match method {
            Method::Lanczos => return Ok(resized(picture, FilterType::Lanczos3)),
            Method::Nearest => return Ok(resized(picture, FilterType::Nearest)),
            Method::Model(model) => model,
        };
        let mut large = picture.clone();
        for _ in 0..passes(picture.dimensions(), to, model.factor) {
            large = self.by_model(turn, &model.path, large)?;
        }
        Ok(if large.dimensions() == to { large } else { resized(&large, FilterType::Lanczos3) })
    }

    fn by_model(
        &self,
        turn: &mut Turn,
        path: &Path,
        picture: RgbImage,
    ) -> Result<RgbImage, ApiError> {
        let mut upscaler = match turn.kept(path) {
            Some(upscaler) => upscaler,
            None => {
                let mut config = UpscalerConfig::new(path);
                config.threads = self.0.threads;
                Upscaler::open(&self.0.engine, config, turn.watch()?)?
            }
        };
        // After an error it is not kept: it may be of no use any more.
        let upscaled = upscaler.upscale_with(picture, turn.watch()?)?;
        turn.keep(Open::new(path, upscaler));
        Ok(upscaled.image.to_rgb())
    }
}

/// Lays so much of one picture over another of the same size.
fn blend(under: &mut RgbImage, over: &RgbImage, share: f32) {
    for (under, over) in under.iter_mut().zip(over.iter()) {
        let (from, to) = (f32::from(*under), f32::from(*over));
        *under = (from + (to - from) * share).round().clamp(0.0, 255.0) as u8;
    }
}
