//! Writing pictures whole or not at all.

use image::{DynamicImage, ExtendedColorType, codecs::jpeg::JpegEncoder};
use sdcpp::{Error, Picture, PngCompression};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

/// A picture to be written: the engine's, or one enlarged since, with what is told of it.
pub(crate) struct Drawn {
    pub(crate) picture: Picture,
    pub(crate) seed: i64,
    /// How it was made; none to be written if absent.
    pub(crate) parameters: Option<String>,
}

/// Quality of JPEG files, of 100.
const JPEG_QUALITY: u8 = 92;

impl Drawn {
    /// Writes the file, in the format of its name.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Error> {
        let jpeg = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("jpg") || e.eq_ignore_ascii_case("jpeg"));
        atomically(path, |file| if jpeg { self.write_jpeg(file) } else { self.write_png(file) })
    }

    fn write_jpeg(&self, writer: &mut dyn Write) -> Result<(), Error> {
        let pixels = self.picture.to_rgb();
        let (width, height) = pixels.dimensions();
        JpegEncoder::new_with_quality(writer, JPEG_QUALITY)
            .encode(&pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|e| codec(&e))
    }

    /// Writes a PNG with how it was made.
    pub(crate) fn write_png(&self, writer: &mut dyn Write) -> Result<(), Error> {
        let parameters = self.parameters.as_deref().unwrap_or_default();
        let picture = self.picture.clone().with_parameters(parameters);
        picture.write_png(writer, PngCompression::default())
    }
}

fn codec(reason: &dyn std::fmt::Display) -> Error {
    Error::Io {
        doing: "encode the picture".to_owned(),
        source: io::Error::other(reason.to_string()),
    }
}

/// Writes to another name in the same folder, then renames over an existing file.
pub(crate) fn atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let io = |source| Error::Io { doing: format!("write {}", path.display()), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".sdcpp-");
    // A temporary file is private to its owner by default; a picture has the usual permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).map_err(io)?;
    let mut writer: BufWriter<&mut File> = BufWriter::new(temporary.as_file_mut());
    write(&mut writer)?;
    writer.flush().map_err(io)?;
    drop(writer);
    temporary.as_file().sync_all().map_err(io)?;
    temporary.persist(path).map_err(|e| io(e.error))?;
    Ok(())
}

/// Writes one PNG to standard output.
pub(crate) fn to_stdout(drawn: &Drawn) -> Result<(), Error> {
    let mut bytes = Vec::new();
    drawn.write_png(&mut bytes)?;
    let mut out = io::stdout().lock();
    out.write_all(&bytes)
        .and_then(|()| out.flush())
        .map_err(|source| Error::Io { doing: "write to standard output".to_owned(), source })
}

/// A picture as PNG bytes, of any kind.
pub(crate) fn png_bytes(picture: &DynamicImage) -> Result<Vec<u8>, Error> {
    let mut bytes = io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| codec(&e))?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_file_as_it_was_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, "old").unwrap();
        let failed = atomically(&path, |writer| {
            writer.write_all(b"half").unwrap();
            Err(codec(&"no"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        atomically(&path, |writer| {
            writer.write_all(b"new").unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }
}
