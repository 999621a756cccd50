//! The most that one request may ask for.

use crate::{error::ApiError, options::Options};
use sdcpp::{ImageRequest, InpaintArea};

/// Pixels that a given picture may have a side.
pub(crate) const MAX_GIVEN_SIDE: u32 = 4096;

/// Bytes of the pictures that a request brought, as they are held until it is drawn.
pub(crate) fn given_bytes(request: &ImageRequest) -> u64 {
    let pictures = [&request.init_image, &request.control_image].into_iter().flatten();
    let others = request.photo_maker.iter().flat_map(|photo_maker| &photo_maker.id_images);
    let colours: usize =
        pictures.chain(&request.reference_images).chain(others).map(|p| p.as_raw().len()).sum();
    let mask = request.mask.as_ref().map_or(0, |mask| mask.as_raw().len());
    (colours + mask) as u64
}

impl Options {
    /// Refuses what would keep the service busy for too long.
    ///
    /// # Errors
    /// The field, its value and what is allowed.
    pub(crate) fn check(&self, request: &ImageRequest) -> Result<(), ApiError> {
        let side = self.max_side();
        let hires = request.hires.as_ref().map(|hires| match hires.target_size {
            Some((width, height)) => f64::from(width.max(height)),
            None => f64::from(hires.scale) * f64::from(request.width.max(request.height)),
        });
        // A continued picture has the size of the given one, and what is added.
        let continued = request.outpaint.as_ref().zip(request.init_image.as_ref());
        let continued = continued.map(|(added, picture)| {
            let width = picture.width().saturating_add(added.left).saturating_add(added.right);
            let height = picture.height().saturating_add(added.top).saturating_add(added.bottom);
            width.max(height)
        });
        let sampling = &request.sampling;
        // As many steps as there are sigmas, less the last.
        let sigmas =
            u32::try_from(sampling.custom_sigmas.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let hires_steps = request.hires.as_ref().and_then(|hires| hires.steps).unwrap_or(0);
        let given = [&request.init_image, &request.control_image]
            .into_iter()
            .flatten()
            .chain(&request.reference_images)
            .map(|picture| picture.width().max(picture.height()));
        for (field, value, most) in [
            ("a given picture's side", given.max().unwrap_or(0), MAX_GIVEN_SIDE),
            ("custom_sigmas", sigmas, self.max_steps()),
            ("hires.steps", hires_steps, self.max_steps()),
            ("outpaint", continued.unwrap_or(0), side),
            ("batch", request.batch, self.max_batch()),
            ("width", request.width, side),
            ("height", request.height, side),
            ("hires", hires.unwrap_or(0.0).ceil() as u32, side),
            ("steps", request.sampling.steps, self.max_steps()),
        ] {
            if value > most {
                return Err(ApiError::invalid(
                    field,
                    value,
                    &format!("up to {most} on this server"),
                ));
            }
        }
        // A part that is drawn anew comes back in the picture's own size.
        let (width, height) = match (&request.init_image, request.inpaint.area) {
            (Some(picture), InpaintArea::OnlyMasked { .. }) if request.mask.is_some() => {
                picture.dimensions()
            }
            _ => (request.width, request.height),
        };
        let pixels = u64::from(width) * u64::from(height) * u64::from(request.batch);
        let most = self.most_pixels();
        if pixels > most {
            let allowed = format!("up to {most} on this server");
            return Err(ApiError::invalid("the pixels of all pictures", pixels, &allowed));
        }
        Ok(())
    }

    /// Pixels that all pictures of an answer may have.
    pub(crate) fn most_pixels(&self) -> u64 {
        u64::from(self.max_side()).pow(2) * u64::from(self.max_batch())
    }

    pub(crate) fn max_batch(&self) -> u32 {
        self.max_batch.unwrap_or(32)
    }

    pub(crate) fn max_side(&self) -> u32 {
        self.max_side.unwrap_or(2048)
    }

    pub(crate) fn max_steps(&self) -> u32 {
        self.max_steps.unwrap_or(150)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_too_long_is_refused() {
        let options = Options { max_side: Some(512), ..Options::default() };
        let request =
            |set: fn(ImageRequest) -> ImageRequest| set(ImageRequest::new("x").size(256, 256));
        assert!(options.check(&request(|r| r)).is_ok());
        for (set, field) in [
            (request(|r| r.batch(33)), "batch is 33"),
            (request(|r| r.size(513, 64)), "width is 513"),
            (request(|r| r.steps(151)), "steps is 151"),
            (request(|r| r.custom_sigmas(vec![1.0; 153])), "custom_sigmas is 152"),
            (
                request(|r| r.init_image(image::RgbImage::new(4097, 1))),
                "a given picture's side is 4097",
            ),
            (
                request(|r| {
                    let area = InpaintArea::OnlyMasked { padding: 0 };
                    let r = r.init_image(image::RgbImage::new(4096, 4096)).batch(32);
                    r.mask(image::GrayImage::new(4096, 4096))
                        .inpaint(sdcpp::Inpaint::new().area(area))
                }),
                "the pixels of all pictures is 536870912",
            ),
            (
                request(|r| {
                    let added = sdcpp::Outpaint::new(300, 0, 0, 0);
                    r.init_image(image::RgbImage::new(256, 256)).outpaint(added)
                }),
                "outpaint is 556",
            ),
            (request(|r| r.hires(sdcpp::HiresFix::default().scale(2.1))), "hires is 538"),
        ] {
            assert!(options.check(&set).unwrap_err().message.starts_with(field), "{field}");
        }
    }

    #[test]
    fn pictures_of_every_kind_are_counted() {
        let picture = || image::RgbImage::new(10, 10);
        let mut request =
            ImageRequest::new("x").init_image(picture()).mask(image::GrayImage::new(10, 10));
        assert_eq!(given_bytes(&request), 400);
        request.control_image = Some(picture());
        request.reference_images = vec![picture(), picture()];
        request.photo_maker = Some(sdcpp::PhotoMaker::new([picture()]));
        assert_eq!(given_bytes(&request), 400 + 300 + 600 + 300);
        assert_eq!(given_bytes(&ImageRequest::new("x")), 0);
    }
}
