//! Every setting of inpainting and outpainting counts on the engine, and what is to be kept is kept
//! to the pixel. The parts of a picture that are joined here are tested beside their code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use common::{demo, quick_request, test_picture};
use sdcpp::{
    Context, ImageRequest, Inpaint, InpaintArea, InpaintFill, Outpaint, OutpaintFill,
    image::{GrayImage, Luma, RgbImage},
};

const SIZE: (u32, u32) = (96, 80);

fn is_masked(x: u32, y: u32) -> bool {
    (40..60).contains(&x) && (30..50).contains(&y)
}

fn repaint(inpaint: Inpaint) -> ImageRequest {
    let mask =
        GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| Luma([if is_masked(x, y) { 255 } else { 0 }]));
    quick_request("a red circle")
        .init_image(test_picture(SIZE.0, SIZE.1))
        .mask(mask)
        .inpaint(inpaint)
}

fn whole(inpaint: Inpaint) -> ImageRequest {
    repaint(inpaint).size(SIZE.0, SIZE.1)
}

fn draw(context: &mut Context, request: &ImageRequest) -> RgbImage {
    context.generate(request).unwrap().images[0].to_rgb()
}

/// Whether the pixels that `kept` tells of are those of the original.
fn assert_kept(name: &str, drawn: &RgbImage, at: (u32, u32), kept: impl Fn(u32, u32) -> bool) {
    let original = test_picture(SIZE.0, SIZE.1);
    let mut count = 0;
    for (x, y, pixel) in original.enumerate_pixels().filter(|(x, y, _)| kept(*x, *y)) {
        assert_eq!(drawn.get_pixel(at.0 + x, at.1 + y), pixel, "{name} at {x}, {y}");
        count += 1;
    }
    assert!(count > 0, "{name} keeps nothing");
}

#[test]
fn every_setting_of_inpainting_counts() {
    let mut demo = demo();
    let plain = draw(&mut demo, &whole(Inpaint::new()));
    let kept = draw(&mut demo, &whole(Inpaint::new().keep_unmasked(true)));
    assert!(kept != plain, "keep_unmasked changes nothing");
    assert_kept("keep_unmasked", &kept, (0, 0), |x, y| !is_masked(x, y));
    assert!(kept.get_pixel(50, 40) == plain.get_pixel(50, 40), "the repainted part is the same");

    let blurred = draw(&mut demo, &whole(Inpaint::new().keep_unmasked(true).mask_blur(3)));
    assert!(blurred != kept, "mask_blur changes nothing");
    assert_kept("mask_blur", &blurred, (0, 0), |x, y| x < 20 && y < 10);
    let alone = draw(&mut demo, &whole(Inpaint::new().mask_blur(3)));
    assert!(alone == plain, "mask_blur changes a picture of which nothing is kept");

    let inverted = draw(&mut demo, &whole(Inpaint::new().keep_unmasked(true).invert(true)));
    assert!(inverted != kept, "invert changes nothing");
    assert_kept("invert", &inverted, (0, 0), is_masked);
}

/// At a low strength, where it shows through: at a high one this model draws the same over everything.
#[test]
fn what_a_masked_part_starts_from_counts() {
    let mut demo = demo();
    let drawn = [
        InpaintFill::Original,
        InpaintFill::Surroundings,
        InpaintFill::Noise { seed: 1 },
        InpaintFill::Noise { seed: 2 },
        InpaintFill::NOTHING,
    ]
    .map(|fill| {
        let request = whole(Inpaint::new().keep_unmasked(true).fill(fill)).denoising_strength(0.1);
        (fill, draw(&mut demo, &request))
    });
    for (i, (fill, picture)) in drawn.iter().enumerate() {
        assert!(drawn[..i].iter().all(|(_, other)| other != picture), "{fill:?} is as another");
        assert_kept(&format!("{fill:?}"), picture, (0, 0), |x, y| !is_masked(x, y));
    }
}

#[test]
fn the_surroundings_of_a_mask_are_drawn_enlarged() {
    let mut demo = demo();
    let only = |padding| Inpaint::new().area(InpaintArea::OnlyMasked { padding });
    let near = draw(&mut demo, &repaint(only(0)));
    let far = draw(&mut demo, &repaint(only(16)));
    let blurred = draw(&mut demo, &repaint(only(16).mask_blur(2)));
    let all = draw(&mut demo, &whole(Inpaint::new().keep_unmasked(true)));
    assert!(near != far, "padding changes nothing");
    assert!(blurred != far, "mask_blur changes nothing");
    assert!(far != all, "the area changes nothing");
    for (name, drawn) in [("padding 0", &near), ("padding 16", &far)] {
        assert_kept(name, drawn, (0, 0), |x, y| !is_masked(x, y));
    }
}

#[test]
fn every_setting_of_outpainting_counts_and_the_inside_is_kept() {
    let mut demo = demo();
    let with = |outpaint: Outpaint| {
        quick_request("a red circle")
            .init_image(test_picture(SIZE.0, SIZE.1))
            .denoising_strength(0.6)
            .outpaint(outpaint)
    };
    let base = || Outpaint::new(16, 0, 0, 16).feather(8);
    let mut seen: Vec<(&str, RgbImage)> = Vec::new();
    for (name, outpaint) in [
        ("edge", base()),
        ("mirror", base().fill(OutpaintFill::Mirror)),
        ("noise", base().fill(OutpaintFill::Noise { seed: 1 })),
        ("other noise", base().fill(OutpaintFill::Noise { seed: 2 })),
        ("color", base().fill(OutpaintFill::Color([200, 30, 60]))),
        ("another color", base().fill(OutpaintFill::Color([20, 130, 60]))),
        ("feather 0", base().feather(0)),
        ("feather 24", base().feather(24)),
        ("left", base().left(8)),
        ("right", base().right(8)),
        ("top", base().top(8)),
        ("bottom", base().bottom(8)),
    ] {
        let drawn = draw(&mut demo, &with(outpaint));
        let (width, height) =
            (SIZE.0 + outpaint.left + outpaint.right, SIZE.1 + outpaint.top + outpaint.bottom);
        assert_eq!(drawn.dimensions(), (width, height), "{name}");
        let (left, top) = (outpaint.left, outpaint.top);
        assert_kept(name, &drawn, (left, top), |x, y| {
            // Sides with nothing added have no seam to fade over.
            (x >= outpaint.feather)
                && (outpaint.right == 0 || x < SIZE.0 - outpaint.feather)
                && (outpaint.top == 0 || y >= outpaint.feather)
                && y < SIZE.1 - outpaint.feather
        });
        for (other, picture) in &seen {
            assert!(picture != &drawn, "{name} draws as {other} does");
        }
        seen.push((name, drawn));
    }
}
