//! What the engine starts from where the mask is white.

use super::{InpaintFill, plan::WHITE};
use image::{GrayImage, Rgb, RgbImage};
use std::borrow::Cow;

/// Side of the squares of noise, in pixels: most VAEs make one place of the latent of so many.
const SQUARE: u32 = 8;

/// `picture`, filled where `mask`, which has its size, is white.
pub(super) fn filled<'a>(
    picture: Cow<'a, RgbImage>,
    mask: &GrayImage,
    fill: InpaintFill,
) -> Cow<'a, RgbImage> {
    let masked = |x, y| mask.get_pixel_checked(x, y).is_some_and(|pixel| pixel.0[0] >= WHITE);
    let paint = |mut picture: RgbImage, color: &dyn Fn(u32, u32) -> Rgb<u8>| {
        for (x, y, pixel) in picture.enumerate_pixels_mut().filter(|(x, y, _)| masked(*x, *y)) {
            *pixel = color(x, y);
        }
        Cow::Owned(picture)
    };
    let (width, height) = picture.dimensions();
    match fill {
        InpaintFill::Original => picture,
        InpaintFill::Color(color) => paint(picture.into_owned(), &|_, _| Rgb(color)),
        InpaintFill::Noise { seed } => {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut squares = RgbImage::new(width.div_ceil(SQUARE), height.div_ceil(SQUARE));
            squares.pixels_mut().for_each(|pixel| random.fill(&mut pixel.0));
            let square = |x, y| squares.get_pixel_checked(x / SQUARE, y / SQUARE).copied();
            paint(picture.into_owned(), &|x, y| square(x, y).unwrap_or(Rgb([0; 3])))
        }
        InpaintFill::Surroundings => {
            let seen = |all: bool| {
                Surroundings::of(width, height, |x, y| {
                    picture.get_pixel_checked(x, y).filter(|_| all || !masked(x, y)).copied()
                })
            };
            // Where all is masked, its own colours are the nearest.
            let Some(around) = seen(false).or_else(|| seen(true).map(Surroundings::mean)) else {
                return picture;
            };
            paint(picture.into_owned(), &|x, y| around.at(x, y))
        }
    }
}

/// Colours that are known everywhere, in half the size of the picture: where the picture has some, they
/// are its own, and farther and farther from there they come from wider and wider around.
struct Surroundings(Level);

impl Surroundings {
    /// Of the pixels that are known; none if no pixel is.
    fn of(width: u32, height: u32, known: impl Fn(u32, u32) -> Option<Rgb<u8>>) -> Option<Self> {
        let mut level = Level::halved(width, height, |x, y| match known(x, y) {
            Some(Rgb(color)) => {
                let [r, g, b] = color.map(f32::from);
                [r, g, b, 1.0]
            }
            None => [0.0; 4],
        });
        let mut finer = Vec::new();
        while level.width > 1 || level.height > 1 {
            let next = Level::halved(level.width, level.height, |x, y| level.at(x, y));
            finer.push(std::mem::replace(&mut level, next));
        }
        // The last is one cell: the mean of all that is known.
        let [r, g, b, weight] = level.at(0, 0);
        if weight <= 0.0 {
            return None;
        }
        level.cells = vec![[r / weight, g / weight, b / weight, 1.0]];
        while let Some(fine) = finer.pop() {
            level = fine.completed(&level);
        }
        Some(Self(level))
    }

    /// One colour, the mean of all.
    fn mean(self) -> Self {
        let mut level = self.0;
        while level.width > 1 || level.height > 1 {
            level = Level::halved(level.width, level.height, |x, y| level.at(x, y));
        }
        Self(level)
    }

    /// The colour at a place of the picture.
    fn at(&self, x: u32, y: u32) -> Rgb<u8> {
        let [r, g, b, _] = self.0.between(x, y);
        Rgb([r, g, b].map(|value| value.round().clamp(0.0, 255.0) as u8))
    }
}

/// Red, green and blue, each times the weight, and the weight: how much of a cell is known, 0 to 1.
type Cell = [f32; 4];

struct Level {
    width: u32,
    height: u32,
    cells: Vec<Cell>,
}

impl Level {
    /// Each cell is the mean of four.
    fn halved(width: u32, height: u32, at: impl Fn(u32, u32) -> Cell) -> Self {
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        let mut cells = Vec::with_capacity(across as usize * down as usize);
        for y in 0..down {
            for x in 0..across {
                let mut sum = [0.0; 4];
                let mut count = 0.0;
                for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(i, j)| (2 * x + i, 2 * y + j))
                {
                    if x < width && y < height {
                        sum = added(sum, at(x, y), 1.0);
                        count += 1.0;
                    }
                }
                cells.push(sum.map(|value| value / count));
            }
        }
        Self { width: across, height: down, cells }
    }

    fn at(&self, x: u32, y: u32) -> Cell {
        let (x, y) = (x.min(self.width.saturating_sub(1)), y.min(self.height.saturating_sub(1)));
        let place = y as usize * self.width as usize + x as usize;
        self.cells.get(place).copied().unwrap_or_default()
    }

    /// At a place of what is twice as large, between the four cells around it.
    fn between(&self, x: u32, y: u32) -> Cell {
        // The middle of a pixel lies a quarter of a cell from the middle of its cell.
        let near = |at: u32| {
            let cell = at / 2;
            (cell, if at.is_multiple_of(2) { cell.saturating_sub(1) } else { cell + 1 })
        };
        let ((x, far_x), (y, far_y)) = (near(x), near(y));
        [(x, y, 9.0), (far_x, y, 3.0), (x, far_y, 3.0), (far_x, far_y, 1.0)]
            .into_iter()
            .fold([0.0; 4], |sum, (x, y, share)| added(sum, self.at(x, y), share / 16.0))
    }

    /// With what is not known taken from a level of half the size, in which all is.
    fn completed(mut self, coarse: &Self) -> Self {
        let width = self.width.max(1) as usize;
        for (y, row) in (0..).zip(self.cells.chunks_mut(width)) {
            for (x, cell) in (0..).zip(row) {
                let unknown = 1.0 - cell[3];
                *cell = added(*cell, coarse.between(x, y), unknown);
            }
        }
        self
    }
}

fn added(a: Cell, b: Cell, share: f32) -> Cell {
    let [ar, ag, ab, aw] = a;
    let [br, bg, bb, bw] = b;
    [ar + share * br, ag + share * bg, ab + share * bb, aw + share * bw]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use proptest::prelude::*;

    fn fill(picture: &RgbImage, mask: &GrayImage, fill: InpaintFill) -> RgbImage {
        filled(Cow::Borrowed(picture), mask, fill).into_owned()
    }

    fn hole(width: u32, height: u32, within: std::ops::Range<u32>) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| {
            Luma([if within.contains(&x) && within.contains(&y) { 255 } else { 127 }])
        })
    }

    #[test]
    fn the_original_is_not_copied() {
        let (picture, mask) = (RgbImage::new(4, 4), hole(4, 4, 0..4));
        let same = filled(Cow::Borrowed(&picture), &mask, InpaintFill::Original);
        assert!(matches!(same, Cow::Borrowed(same) if std::ptr::eq(same, &picture)));
    }

    #[test]
    fn a_colour_is_that_colour_and_noise_is_squares_of_its_seed() {
        let (picture, mask) = (RgbImage::new(40, 40), hole(40, 40, 8..32));
        let grey = fill(&picture, &mask, InpaintFill::Color([9, 8, 7]));
        let noise = |seed| fill(&picture, &mask, InpaintFill::Noise { seed });
        let (first, same, other) = (noise(1), noise(1), noise(2));
        assert!(first == same && first != other);
        for (x, y, pixel) in picture.enumerate_pixels() {
            let masked = (8..32).contains(&x) && (8..32).contains(&y);
            assert_eq!(grey.get_pixel(x, y).0, if masked { [9, 8, 7] } else { pixel.0 });
            let square = first.get_pixel(x / SQUARE * SQUARE, y / SQUARE * SQUARE);
            assert_eq!(first.get_pixel(x, y), if masked { square } else { pixel });
        }
    }

    /// Red at the left and blue at the right meet in the middle, with no edge and nothing of the hole.
    #[test]
    fn surroundings_fade_into_each_other() {
        let mut picture =
            RgbImage::from_fn(96, 96, |x, _| Rgb(if x < 48 { [200, 0, 0] } else { [0, 0, 200] }));
        let mask = hole(96, 96, 24..72);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            if mask.get_pixel(x, y).0[0] == 255 {
                *pixel = Rgb([0, 255, 0]);
            }
        }
        let result = fill(&picture, &mask, InpaintFill::Surroundings);
        let row: Vec<_> = (24..72).map(|x| result.get_pixel(x, 48).0).collect();
        assert!(row.iter().all(|[_, green, _]| *green == 0), "{row:?}");
        assert!(row[0][0] > 150 && row[47][2] > 150, "{row:?}");
        assert!(row[24][0].abs_diff(row[23][2]) < 40, "{row:?}");
        let steepest = row.windows(2).map(|pair| pair[0][0].abs_diff(pair[1][0])).max().unwrap();
        assert!(steepest < 30, "{steepest}: {row:?}");
    }

    #[test]
    fn without_surroundings_the_mean_is_taken() {
        let picture = RgbImage::from_fn(8, 8, |x, _| Rgb(if x < 4 { [0; 3] } else { [200; 3] }));
        let white = GrayImage::from_pixel(8, 8, Luma([255]));
        let result = fill(&picture, &white, InpaintFill::Surroundings);
        assert!(result.pixels().all(|pixel| pixel.0 == [100; 3]));
        let nothing = fill(&RgbImage::new(0, 0), &GrayImage::new(0, 0), InpaintFill::Surroundings);
        assert_eq!(nothing.dimensions(), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// No colour is made up, and what is not masked stays.
        #[test]
        fn surroundings_are_the_known_colours(
            size in (1..=70_u32, 1..=70_u32), seed: u64, share in 0..=100_u32,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let picture = RgbImage::from_fn(size.0, size.1, |_, _| Rgb([random.u8(100..140), random.u8(..), 0]));
            let mask = GrayImage::from_fn(size.0, size.1, |_, _| {
                Luma([if random.u32(0..100) < share { 255 } else { 0 }])
            });
            let result = fill(&picture, &mask, InpaintFill::Surroundings);
            for ((before, after), mask) in picture.pixels().zip(result.pixels()).zip(mask.pixels()) {
                prop_assert!(mask.0[0] == 255 || before == after);
                prop_assert!((99..=140).contains(&after.0[0]) && after.0[2] == 0, "{:?}", after);
            }
        }
    }
}
