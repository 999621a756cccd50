use super::*;
use crate::InpaintFill;
use image::{Luma, Rgb};
use proptest::prelude::*;

const NEW: Rgb<u8> = Rgb([250, 0, 250]);

/// Every pixel another colour, none of them [`NEW`].
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x + y) as u8 | 1]))
}

fn white_at(width: u32, height: u32, white: impl Fn(u32, u32) -> bool) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| Luma([if white(x, y) { 255 } else { 0 }]))
}

fn only_masked(padding: u32) -> Inpaint {
    Inpaint::new().area(InpaintArea::OnlyMasked { padding })
}

fn refused(original: &RgbImage, mask: &GrayImage, options: &Inpaint, size: (u32, u32)) -> String {
    Plan::new(original, mask, options, size.0, size.1).unwrap_err().to_string()
}

#[test]
fn without_options_nothing_is_touched_or_copied() {
    let (original, mask) = (picture(7, 5), white_at(7, 5, |x, _| x == 2));
    let plan = Plan::new(&original, &mask, &Inpaint::new(), 7, 5).unwrap();
    assert!(std::ptr::eq(plan.init(), &original) && std::ptr::eq(plan.mask(), &mask));
    let plan = Plan::new(&original, &mask, &Inpaint::new(), 512, 512).unwrap();
    assert_eq!((plan.init().dimensions(), plan.mask().dimensions()), ((512, 512), (512, 512)));
    let drawn = RgbImage::from_pixel(512, 512, NEW);
    assert_eq!(plan.finish(drawn.clone()), drawn);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let (original, black) = (picture(8, 8), GrayImage::new(8, 8));
    let neutral = Inpaint::new();
    assert_eq!(
        refused(&original, &black, &only_masked(4), (64, 64)),
        "mask is all black; allowed: at least one white pixel, to draw only what is masked"
    );
    let white = GrayImage::from_pixel(8, 8, Luma([128]));
    assert!(
        refused(&original, &white, &only_masked(4).invert(true), (64, 64))
            .starts_with("mask is all white, and inverted; allowed: at least one black")
    );
    let other = GrayImage::new(4, 8);
    assert_eq!(
        refused(&original, &other, &neutral, (64, 64)),
        "mask is 4x8; allowed: the size of init_image, 8x8"
    );
    assert!(refused(&original, &black, &neutral, (0, 64)).starts_with("width is 0"));
    assert!(refused(&original, &black, &neutral, (64, 20_000)).starts_with("height is 20000"));
    let blurred = neutral.mask_blur(65);
    assert!(refused(&original, &black, &blurred, (8, 8)).starts_with("inpaint.mask_blur is 65"));
    let padded = only_masked(u32::MAX);
    assert!(refused(&original, &white, &padded, (8, 8)).starts_with("inpaint.area.padding is"));
    let nothing = RgbImage::new(0, 0);
    assert!(
        refused(&nothing, &GrayImage::new(0, 0), &neutral, (8, 8)).starts_with("init_image is 0x0")
    );
}

#[test]
fn whole_picture_keeps_the_original_outside_of_the_mask() {
    let (original, mask) = (picture(4, 1), white_at(4, 1, |x, _| x >= 2));
    let plan = Plan::new(&original, &mask, &Inpaint::new().keep_unmasked(true), 4, 1).unwrap();
    let result = plan.finish(RgbImage::from_pixel(4, 1, NEW));
    let pixels: Vec<_> = result.pixels().copied().collect();
    assert_eq!(pixels, [*original.get_pixel(0, 0), *original.get_pixel(1, 0), NEW, NEW]);
    let twice = plan.finish(RgbImage::from_pixel(8, 2, NEW));
    assert_eq!(twice.dimensions(), (8, 2));
}

#[test]
fn inverted_repaints_the_black() {
    let (original, mask) = (picture(4, 1), white_at(4, 1, |x, _| x >= 2));
    let options = Inpaint::new().keep_unmasked(true).invert(true);
    let plan = Plan::new(&original, &mask, &options, 4, 1).unwrap();
    assert_eq!(plan.mask().as_raw(), &[255, 255, 0, 0]);
    let result = plan.finish(RgbImage::from_pixel(4, 1, NEW));
    assert_eq!(
        (*result.get_pixel(0, 0), *result.get_pixel(3, 0)),
        (NEW, *original.get_pixel(3, 0))
    );
}

#[test]
fn only_masked_draws_the_surroundings_enlarged() {
    let (original, mask) = (picture(40, 30), white_at(40, 30, |x, y| x == 20 && y == 10));
    let plan = Plan::new(&original, &mask, &only_masked(3), 28, 14).unwrap();
    assert_eq!((plan.init().dimensions(), plan.mask().dimensions()), ((28, 14), (28, 14)));
    // 7x7 about the pixel, widened to 14x7: the one pixel is two by two in the drawing.
    assert_eq!(Region::around_white(plan.mask()).unwrap().size(), (2, 2));
    let result = plan.finish(RgbImage::from_pixel(64, 64, NEW));
    for (x, y, pixel) in result.enumerate_pixels() {
        let wanted = if (x, y) == (20, 10) { &NEW } else { original.get_pixel(x, y) };
        assert_eq!(pixel, wanted, "at {x}, {y}");
    }
}

#[test]
fn a_part_of_the_drawings_own_size_is_not_resampled() {
    let (original, mask) = (picture(32, 32), white_at(32, 32, |x, y| x == 8 && y == 9));
    let plan = Plan::new(&original, &mask, &only_masked(2), 5, 5).unwrap();
    assert_eq!(plan.init(), &imageops::crop_imm(&original, 6, 7, 5, 5).to_image());
    assert_eq!(plan.mask(), &white_at(5, 5, |x, y| x == 2 && y == 2));
}

/// In the part that is drawn, enlarged or not; the original is put back where nothing is masked.
#[test]
fn the_masked_part_is_filled_before_it_is_drawn() {
    let (original, mask) = (picture(40, 30), white_at(40, 30, |x, y| x == 20 && y == 10));
    let fill = InpaintFill::Color([1, 2, 3]);
    for (options, size) in [
        (Inpaint::new(), (40, 30)),
        (Inpaint::new().keep_unmasked(true), (80, 60)),
        (only_masked(3), (28, 14)),
    ] {
        let plan = Plan::new(&original, &mask, &options.fill(fill), size.0, size.1).unwrap();
        let unfilled = Plan::new(&original, &mask, &options, size.0, size.1);
        let unfilled = unfilled.as_ref().map_or(&original, Plan::init);
        let mut white = 0;
        for (x, y, pixel) in plan.init().enumerate_pixels() {
            let masked = plan.mask().get_pixel(x, y).0[0] >= WHITE;
            white += u32::from(masked);
            let wanted = if masked { &Rgb([1, 2, 3]) } else { unfilled.get_pixel(x, y) };
            assert_eq!(pixel, wanted, "{options:?} at {x}, {y}");
        }
        assert!(white > 0, "{options:?}");
    }
}

#[test]
fn thin_strokes_survive_being_reduced() {
    let (original, mask) = (picture(200, 200), white_at(200, 200, |x, _| x == 77));
    let plan = Plan::new(&original, &mask, &only_masked(200), 16, 16).unwrap();
    assert!(plan.mask().rows().all(|mut row| row.any(|p| p.0[0] == 255)));
}

#[test]
fn blur_fades_outwards_from_the_edge() {
    let hard = white_at(40, 1, |x, _| x < 20);
    assert_eq!(alpha(&hard, 0), hard);
    let soft = alpha(&hard, 2).into_raw();
    assert!(soft[..20].iter().all(|&a| a == 255), "{soft:?}");
    assert!(soft[19..].is_sorted_by(|a, b| a >= b), "{soft:?}");
    assert!(soft[20] > 180 && soft[22] > 20 && soft[28] == 0, "{soft:?}");
}

#[test]
fn blurring_a_part_gives_what_blurring_everything_gives() {
    let mask = white_at(90, 60, |x, y| (40..44).contains(&x) && (20..30).contains(&y));
    let mut all = imageops::blur(&mask, 3.0);
    for (soft, hard) in all.pixels_mut().zip(mask.pixels()) {
        soft.0[0] = soft.0[0].saturating_mul(2).max(hard.0[0]);
    }
    assert_eq!(alpha(&mask, 3), all);
}

fn masks() -> impl Strategy<Value = GrayImage> {
    (1..=200_u32, 1..=200_u32).prop_flat_map(|(width, height)| {
        let sparse = proptest::collection::vec((0..width, 0..height, any::<u8>()), 0..12);
        (sparse, any::<bool>()).prop_map(move |(dots, white)| {
            let ground = if white { 255 } else { 0 };
            let mut mask = GrayImage::from_pixel(width, height, Luma([ground]));
            for (x, y, value) in dots {
                mask.put_pixel(x, y, Luma([value]));
            }
            mask
        })
    })
}

fn options() -> impl Strategy<Value = Inpaint> {
    let area = prop_oneof![
        Just(InpaintArea::WholePicture),
        (0..80_u32).prop_map(|padding| InpaintArea::OnlyMasked { padding }),
    ];
    (0..=12_u32, any::<bool>(), area, any::<bool>()).prop_map(|(blur, invert, area, keep)| {
        Inpaint::new().mask_blur(blur).invert(invert).area(area).keep_unmasked(keep)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn sizes_are_as_promised_and_unmasked_pixels_kept(
        mask in masks(), options in options(), size in (1..=200_u32, 1..=200_u32),
        drawn in (1..=200_u32, 1..=200_u32),
    ) {
        let original = picture(mask.width(), mask.height());
        let Ok(plan) = Plan::new(&original, &mask, &options, size.0, size.1) else {
            prop_assert!(options.area != InpaintArea::WholePicture);
            return Ok(());
        };
        prop_assert_eq!(plan.init().dimensions(), plan.mask().dimensions());
        let masked = options.area != InpaintArea::WholePicture;
        if masked {
            prop_assert_eq!(plan.init().dimensions(), size);
            prop_assert!(Region::around_white(plan.mask()).is_some());
        }
        let result = plan.finish(RgbImage::from_pixel(drawn.0, drawn.1, NEW));
        prop_assert_eq!(result.dimensions(), if masked { original.dimensions() } else { drawn });

        // In its own size every pixel that alpha leaves out is the original's.
        let (width, height) = original.dimensions();
        let result = plan.finish(RgbImage::from_pixel(width, height, NEW));
        if !masked && !options.keep_unmasked {
            prop_assert!(result.pixels().all(|p| *p == NEW));
            return Ok(());
        }
        let used = if options.invert { inverted(&mask) } else { mask.clone() };
        let alpha = alpha(&used, options.mask_blur);
        for ((x, y, pixel), shown) in result.enumerate_pixels().zip(alpha.pixels()) {
            match shown.0 {
                [0] => prop_assert_eq!(pixel, original.get_pixel(x, y)),
                [255] if !masked => prop_assert_eq!(*pixel, NEW),
                _ => {}
            }
        }
    }

    #[test]
    fn the_part_drawn_has_all_that_is_white(mask in masks(), blur in 0..=12_u32) {
        let original = picture(mask.width(), mask.height());
        let options = only_masked(0).mask_blur(blur);
        let Ok(plan) = Plan::new(&original, &mask, &options, 64, 48) else {
            prop_assert!(mask.pixels().all(|p| p.0[0] < WHITE));
            return Ok(());
        };
        let Finish::Paste { region, alpha } = &plan.finish else { unreachable!() };
        prop_assert_eq!(alpha.dimensions(), region.size());
        let inside = |x: u32, y: u32| {
            (region.x..region.x + region.width).contains(&x)
                && (region.y..region.y + region.height).contains(&y)
        };
        for (x, y, pixel) in mask.enumerate_pixels() {
            prop_assert!(pixel.0[0] < WHITE || inside(x, y));
        }
    }

    #[test]
    fn inverting_twice_is_nothing(mask in masks()) {
        prop_assert_eq!(&inverted(&inverted(&mask)), &mask);
        let original = picture(mask.width(), mask.height());
        let inverse = inverted(&mask);
        let options = Inpaint::new().keep_unmasked(true).mask_blur(3);
        let straight = Plan::new(&original, &mask, &options, 9, 9).unwrap();
        let twice = Plan::new(&original, &inverse, &options.invert(true), 9, 9).unwrap();
        prop_assert_eq!(straight.mask(), twice.mask());
        let drawn = RgbImage::from_pixel(mask.width(), mask.height(), NEW);
        prop_assert_eq!(straight.finish(drawn.clone()), twice.finish(drawn));
    }
}
