//! What the engine draws on for a request, and what becomes of its picture afterwards.

use crate::{
    Error, ImageRequest, Inpaint, Result,
    blend::{resized, resized_mask},
    inpaint, outpaint,
};
use image::{GrayImage, RgbImage};
use std::borrow::Cow;

/// The pictures of a request in the form and size that the engine gets.
pub(crate) struct Canvas<'a> {
    start: Start<'a>,
    control: Option<Cow<'a, RgbImage>>,
    size: (u32, u32),
}

/// What the engine starts from.
enum Start<'a> {
    Noise,
    Picture { init: Cow<'a, RgbImage>, mask: Option<Cow<'a, GrayImage>> },
    Inpaint(inpaint::Plan<'a>),
    Outpaint(outpaint::Plan),
}

impl<'a> Canvas<'a> {
    /// For a request that was checked, and a model whose sizes are multiples of `multiple`: the
    /// engine rounds up, and would stretch pictures to that by nearest neighbour.
    pub(crate) fn new(request: &'a ImageRequest, multiple: u32) -> Result<Self> {
        let size = rounded_up(request.width, request.height, multiple);
        let start = match (&request.init_image, &request.mask, &request.outpaint) {
            (None, ..) => Start::Noise,
            (Some(init), _, Some(options)) => {
                Start::Outpaint(outpaint::Plan::new(init, options, multiple)?)
            }
            (Some(init), Some(mask), None) if request.inpaint != Inpaint::default() => {
                Start::Inpaint(inpaint::Plan::new(init, mask, &request.inpaint, size.0, size.1)?)
            }
            (Some(init), mask, None) => Start::Picture {
                init: resized(init, size.0, size.1),
                mask: mask.as_ref().map(|mask| resized_mask(mask, size.0, size.1)),
            },
        };
        let size = match &start {
            Start::Outpaint(plan) => plan.init().dimensions(),
            _ => size,
        };
        let asked = match &start {
            Start::Outpaint(_) => size,
            _ => (request.width, request.height),
        };
        let control = request.control_image.as_ref().map(|p| resized(p, size.0, size.1));
        Ok(Self { start, control, size: asked })
    }

    /// Width and height to ask the engine for.
    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(crate) fn init_image(&self) -> Option<&RgbImage> {
        match &self.start {
            Start::Noise => None,
            Start::Picture { init, .. } => Some(init),
            Start::Inpaint(plan) => Some(plan.init()),
            Start::Outpaint(plan) => Some(plan.init()),
        }
    }

    pub(crate) fn mask(&self) -> Option<&GrayImage> {
        match &self.start {
            Start::Noise => None,
            Start::Picture { mask, .. } => mask.as_deref(),
            Start::Inpaint(plan) => Some(plan.mask()),
            Start::Outpaint(plan) => Some(plan.mask()),
        }
    }

    pub(crate) fn control_image(&self) -> Option<&RgbImage> {
        self.control.as_deref()
    }

    /// Whether what the engine drew is not the result yet.
    pub(crate) fn has_finish(&self) -> bool {
        matches!(self.start, Start::Inpaint(_) | Start::Outpaint(_))
    }

    /// The result for what the engine drew.
    pub(crate) fn finish(&self, drawn: RgbImage) -> RgbImage {
        match &self.start {
            Start::Noise | Start::Picture { .. } => drawn,
            Start::Inpaint(plan) => plan.finish(drawn),
            Start::Outpaint(plan) => plan.finish(drawn),
        }
    }
}

/// The size that the engine draws in; not past what is allowed, where it would refuse anyway.
pub(crate) fn rounded_up(width: u32, height: u32, multiple: u32) -> (u32, u32) {
    let up = |side: u32| side.checked_next_multiple_of(multiple.max(1)).unwrap_or(side);
    (up(width), up(height))
}

/// What of a request's pictures goes together.
pub(crate) fn check(request: &ImageRequest) -> Result<()> {
    request.inpaint.check()?;
    if request.mask.is_none() && request.inpaint != Inpaint::default() {
        return Err(Error::invalid(
            "inpaint",
            "set without mask",
            "options for a picture with a mask",
        ));
    }
    let Some(outpaint) = &request.outpaint else { return Ok(()) };
    let Some(init) = &request.init_image else {
        return Err(Error::invalid(
            "outpaint",
            "set without init_image",
            "the picture to continue as init_image",
        ));
    };
    if request.mask.is_some() {
        return Err(Error::invalid(
            "outpaint",
            "set together with a mask",
            "one of the two: outpainting makes its own mask",
        ));
    }
    if request.hires.is_some() {
        return Err(Error::invalid(
            "outpaint",
            "set together with hires",
            "one of the two: the picture keeps its own size",
        ));
    }
    outpaint.check(init.width(), init.height())
}
