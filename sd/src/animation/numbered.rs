//! A PNG file for each frame.

use super::{
    Animation, Frame,
    file::{self, Target},
};
use crate::{PngCompression, Result, png_encoder};
use std::{
    ffi::OsString,
    io::Write,
    path::{Path, PathBuf},
};

/// Saves each frame beside `path`, numbered. All are written before the first is put in its place.
pub(super) fn save(animation: &Animation<'_>, path: &Path) -> Result<Vec<PathBuf>> {
    let digits = animation.frames.len().to_string().len().max(4);
    let mut written = Vec::with_capacity(animation.frames.len());
    for (index, frame) in animation.frames.iter().enumerate() {
        let path = numbered(path, index + 1, digits);
        let target = Target::new(&path);
        let file = file::write(&target, |writer| write(frame, writer, &target))?;
        written.push((path, file));
    }
    written
        .into_iter()
        .map(|(path, file)| {
            file.put(&Target::new(&path))?;
            Ok(path)
        })
        .collect()
}

/// `name-0001.png` for `name.png`.
fn numbered(path: &Path, number: usize, digits: usize) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{number:0digits$}.png"));
    path.with_file_name(name)
}

fn write(frame: &Frame<'_>, writer: impl Write, target: &Target<'_>) -> Result<()> {
    let encoder =
        png_encoder::new(writer, frame.shape(), frame.as_bytes(), PngCompression::default());
    let mut writer = encoder.write_header().map_err(|e| target.png(e))?;
    writer.write_image_data(frame.as_bytes()).map_err(|e| target.png(e))?;
    writer.finish().map_err(|e| target.png(e))
}
