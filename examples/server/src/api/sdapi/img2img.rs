//! The picture that `img2img` draws over, its mask, and what is done around it.

use super::{request::DrawBody, resize::ResizeMode};
use crate::{error::ApiError, options::Options, pictures};
use image::imageops::{self, FilterType};
use sdcpp::{ImageRequest, Inpaint, InpaintArea, InpaintFill};
use uuid::Uuid;

impl DrawBody {
    /// Has a request draw over the picture of the body.
    pub(super) fn over_a_picture(
        &self,
        request: &mut ImageRequest,
        options: &Options,
    ) -> Result<(), ApiError> {
        let mode = ResizeMode::new(self.resize_mode)?;
        let first = self.init_images.as_deref().unwrap_or_default().first();
        let first =
            first.ok_or_else(|| ApiError::invalid("init_images", "empty", "one picture"))?;
        let picture = pictures::rgb("init_images", first)?;
        // A1111's default is 512×512, and clients that say nothing mean the picture's size.
        if self.width.is_none() && self.height.is_none() {
            (request.width, request.height) = picture.dimensions();
        }
        if let Some(mask) = self.mask.as_deref().filter(|mask| !mask.is_empty()) {
            let mut mask = pictures::mask("mask", mask)?;
            if mask.dimensions() != picture.dimensions() {
                let (width, height) = picture.dimensions();
                mask = imageops::resize(&mask, width, height, FilterType::Triangle);
            }
            request.mask = Some(mask);
            request.inpaint = self.inpaint()?;
        }
        request.init_image = Some(picture);
        request.denoising_strength = self.denoising_strength.unwrap_or(0.75);
        self.resize(request, mode, options)
    }

    /// The picture and its mask in the size that is drawn. Where only the mask's surroundings are, they
    /// have its shape already.
    fn resize(
        &self,
        request: &mut ImageRequest,
        mode: ResizeMode,
        options: &Options,
    ) -> Result<(), ApiError> {
        let of_a_part = matches!(request.inpaint.area, InpaintArea::OnlyMasked { .. });
        if mode == ResizeMode::Stretch || of_a_part {
            // As the crate does.
            return Ok(());
        }
        // Nothing is made in a size that is not allowed.
        options.check(request)?;
        request.check()?;
        let size = (request.width, request.height);
        if let Some(picture) = &mut request.init_image {
            *picture = mode.apply(picture, size, FilterType::Lanczos3);
        }
        if let Some(mask) = &mut request.mask {
            *mask = mode.apply(mask, size, FilterType::Triangle);
        }
        Ok(())
    }

    /// As A1111 does, which always puts the original's pixels back.
    fn inpaint(&self) -> Result<Inpaint, ApiError> {
        let area = match self.inpaint_full_res.unwrap_or(true) {
            true => InpaintArea::OnlyMasked { padding: self.inpaint_full_res_padding.unwrap_or(0) },
            false => InpaintArea::WholePicture,
        };
        let of_sides = self.mask_blur_x.max(self.mask_blur_y);
        Ok(Inpaint::new()
            .mask_blur(self.mask_blur.or(of_sides).unwrap_or(4))
            .invert(self.inpainting_mask_invert.unwrap_or(0) != 0)
            .area(area)
            .keep_unmasked(true)
            .fill(self.fill()?))
    }

    /// What the masked part starts from.
    fn fill(&self) -> Result<InpaintFill, ApiError> {
        match self.inpainting_fill.unwrap_or(0) {
            0 => Ok(InpaintFill::Surroundings),
            1 => Ok(InpaintFill::Original),
            2 => {
                let given = self.seed.and_then(|seed| u64::try_from(seed).ok());
                // The lower half of it is drawn at random.
                let seed = given.unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1);
                Ok(InpaintFill::Noise { seed })
            }
            3 => Ok(InpaintFill::NOTHING),
            other => {
                let allowed = "0 (fill), 1 (original), 2 (latent noise), 3 (latent nothing)";
                Err(ApiError::invalid("inpainting_fill", other, allowed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
    use serde_json::{Value, json};
    use std::io::Cursor;

    fn png(picture: impl Into<image::DynamicImage>) -> String {
        let mut bytes = Cursor::new(Vec::new());
        picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        BASE64_STANDARD.encode(bytes.into_inner())
    }

    fn over(more: Value) -> Result<ImageRequest, ApiError> {
        let wide = RgbImage::from_fn(64, 32, |x, _| Rgb([x as u8, 0, 0]));
        let mask = GrayImage::from_fn(64, 32, |x, _| Luma([if x < 32 { 255 } else { 0 }]));
        let mut body =
            json!({ "init_images": [png(wide)], "mask": png(mask), "inpaint_full_res": false });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body: DrawBody = serde_json::from_value(body).unwrap();
        let mut request = ImageRequest::new("x");
        request.width = body.width.unwrap_or(request.width);
        request.height = body.height.unwrap_or(request.height);
        body.over_a_picture(&mut request, &Options::default()).map(|()| request)
    }

    #[test]
    fn a_picture_to_draw_over_is_needed() {
        let error = over(json!({ "init_images": [] })).unwrap_err();
        assert!(error.message.starts_with("init_images is empty"), "{}", error.message);
    }

    #[test]
    fn numbers_are_those_of_a1111() {
        for (number, expected) in [
            (json!(null), InpaintFill::Surroundings),
            (json!(0), InpaintFill::Surroundings),
            (json!(1), InpaintFill::Original),
            (json!(2), InpaintFill::Noise { seed: 7 }),
            (json!(3), InpaintFill::NOTHING),
        ] {
            let request = over(json!({ "inpainting_fill": number, "seed": 7 })).unwrap();
            assert_eq!(request.inpaint.fill, expected);
        }
        let random = || over(json!({ "inpainting_fill": 2, "seed": -1 })).unwrap().inpaint.fill;
        assert!(random() != random());
        for (body, start) in [
            (json!({ "inpainting_fill": 4 }), "inpainting_fill is 4"),
            (json!({ "resize_mode": 4 }), "resize_mode is 4"),
        ] {
            assert!(over(body).unwrap_err().message.starts_with(start), "{start}");
        }
        let blurred = over(json!({ "mask_blur_x": 2, "mask_blur_y": 9 })).unwrap();
        assert_eq!(blurred.inpaint.mask_blur, 9);
        assert_eq!(over(json!({ "mask_blur": 1, "mask_blur_x": 2 })).unwrap().inpaint.mask_blur, 1);
    }

    #[test]
    fn picture_and_mask_are_resized_alike() {
        let size = json!({ "width": 64, "height": 64 });
        let with = |mode: u32, full: bool| {
            let mut body = size.clone();
            (body["resize_mode"], body["inpaint_full_res"]) = (json!(mode), json!(full));
            let request = over(body).unwrap();
            (request.init_image.unwrap(), request.mask.unwrap())
        };
        for (mode, full, expected) in [
            (0, false, (64, 32)),
            (3, false, (64, 32)),
            (1, false, (64, 64)),
            (2, false, (64, 64)),
            (1, true, (64, 32)),
        ] {
            let (picture, mask) = with(mode, full);
            assert_eq!((picture.dimensions(), mask.dimensions()), (expected, expected), "{mode}");
        }
        let (cropped, _) = with(1, false);
        assert!(cropped.get_pixel(0, 0).0[0].abs_diff(16) < 2, "{:?}", cropped.get_pixel(0, 0));
        let (filled, mask) = with(2, false);
        assert_eq!((filled.get_pixel(0, 0).0[0], filled.get_pixel(63, 63).0[0]), (0, 63));
        assert_eq!((mask.get_pixel(0, 0).0[0], mask.get_pixel(63, 0).0[0]), (255, 0));
        // What is too large is not even tried.
        for side in [0, 5000, u32::MAX] {
            assert!(over(json!({ "width": side, "height": 64, "resize_mode": 2 })).is_err());
        }
    }
}
