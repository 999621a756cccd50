//! A contact sheet: pictures in rows and columns, with labels.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use sdcpp::image::{Rgb, RgbImage, imageops};

const FONT: (FontWeight, RasterHeight) = (FontWeight::Regular, RasterHeight::Size16);
const LINE: u32 = RasterHeight::Size16.val() as u32;
/// Between pictures, and around labels.
const GAP: u32 = 6;
const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Pictures row by row, in cells as large as the largest.
pub(crate) struct Sheet {
    /// Labels above the columns; as many as there are columns.
    pub(crate) columns: Vec<String>,
    /// Labels left of the rows; none at all, or as many as there are rows.
    pub(crate) rows: Vec<String>,
}

impl Sheet {
    /// Lays the pictures out. Those that are too many for the rows go into further ones.
    pub(crate) fn draw(&self, pictures: &[RgbImage]) -> RgbImage {
        let width = pictures.iter().map(RgbImage::width).max().unwrap_or(0);
        let height = pictures.iter().map(RgbImage::height).max().unwrap_or(0);
        let columns = self.columns.len().max(1);
        let left = self.rows.iter().map(|label| text_width(label)).max().unwrap_or(0);
        let left = if left == 0 { GAP } else { left + 2 * GAP };
        let heads: Vec<_> = self.columns.iter().map(|label| wrapped(label, width)).collect();
        let head_lines = heads.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let top = head_lines * LINE + 2 * GAP;
        let rows = pictures.len().div_ceil(columns) as u32;
        let mut sheet = RgbImage::from_pixel(
            left + columns as u32 * (width + GAP),
            top + rows * (height + GAP),
            WHITE,
        );
        let x_of = |column: usize| left + column as u32 * (width + GAP);
        let y_of = |row: usize| top + row as u32 * (height + GAP);
        for (column, lines) in heads.iter().enumerate() {
            for (line, text) in lines.iter().enumerate() {
                let indent = width.saturating_sub(text_width(text)) / 2;
                write(&mut sheet, text, x_of(column) + indent, GAP + line as u32 * LINE);
            }
        }
        for (row, label) in self.rows.iter().enumerate() {
            write(&mut sheet, label, GAP, y_of(row) + height.saturating_sub(LINE) / 2);
        }
        for (index, picture) in pictures.iter().enumerate() {
            let x = x_of(index % columns) + (width - picture.width()) / 2;
            let y = y_of(index / columns) + (height - picture.height()) / 2;
            imageops::replace(&mut sheet, picture, x.into(), y.into());
        }
        sheet
    }
}

/// A sheet each of whose pictures has its own label above it.
pub(crate) fn labelled(pictures: &[(String, RgbImage)], columns: usize) -> RgbImage {
    let rows: Vec<_> = pictures
        .chunks(columns.max(1))
        .map(|row| {
            let (labels, pictures): (Vec<_>, Vec<_>) = row.iter().cloned().unzip();
            Sheet { columns: labels, rows: Vec::new() }.draw(&pictures)
        })
        .collect();
    let width = rows.iter().map(RgbImage::width).max().unwrap_or(0);
    let height = rows.iter().map(RgbImage::height).sum();
    let mut sheet = RgbImage::from_pixel(width, height, WHITE);
    let mut y = 0;
    for row in rows {
        imageops::replace(&mut sheet, &row, 0, y);
        y += i64::from(row.height());
    }
    sheet
}

fn text_width(text: &str) -> u32 {
    (text.chars().count() * get_raster_width(FONT.0, FONT.1)) as u32
}

/// Lines of whole words that fit; longer words are cut by the sheet's neighbours.
fn wrapped(text: &str, width: u32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(line) + text_width(word) + text_width(" ") <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Writes black on white; what the font has not is a question mark.
fn write(sheet: &mut RgbImage, text: &str, x: u32, y: u32) {
    let mut left = x;
    for letter in text.chars() {
        let Some(glyph) =
            get_raster(letter, FONT.0, FONT.1).or_else(|| get_raster('?', FONT.0, FONT.1))
        else {
            continue;
        };
        for (row, line) in glyph.rows().enumerate() {
            for (column, ink) in line.iter().enumerate().filter(|(_, ink)| **ink > 0) {
                let at = (left + column as u32, y + row as u32);
                if let Some(pixel) = sheet.get_pixel_mut_checked(at.0, at.1) {
                    *pixel = Rgb([255 - ink; 3]);
                }
            }
        }
        left += glyph.width() as u32;
    }
}
