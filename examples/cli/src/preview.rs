//! Previews: in the terminal where it shows pictures, and in a file.

use crate::{
    app::App,
    bar::Bar,
    options::PreviewArguments,
    output::{atomically, png_bytes},
    terminal,
};
use image::DynamicImage;
use sdcpp::{Error, Preview, Watch};
use std::{io::IsTerminal, path::PathBuf};

/// Where previews go.
struct Screen {
    bar: Bar,
    path: Option<PathBuf>,
    terminal: bool,
    /// Rows of the preview before, which the next one covers.
    rows: u32,
    /// Whether a failure was told.
    failed: bool,
}

/// The file where there is no terminal, and none is named: upstream's.
const DEFAULT_PATH: &str = "preview.png";

/// Shows previews of what `watch` watches, if they are asked for.
pub(crate) fn show<'a>(app: &App, options: &PreviewArguments, watch: Watch<'a>) -> Watch<'a> {
    let Some(wanted) = options.options() else { return watch };
    // Standard output is for results, unless a person sits before it.
    let terminal = !app.json
        && !app.quiet
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal();
    let default = || (!terminal).then(|| PathBuf::from(DEFAULT_PATH));
    let path = options.preview_path.clone().or_else(default);
    let mut screen = Screen { bar: app.bar.clone(), path, terminal, rows: 0, failed: false };
    watch.on_preview(wanted, move |preview| screen.show(preview))
}

impl Screen {
    fn show(&mut self, preview: Preview) {
        // Of a video, its first frame.
        let Some(frame) = preview.frames.into_iter().next() else { return };
        let picture = DynamicImage::from(frame);
        if let Err(error) = self.write(&picture)
            && !self.failed
        {
            self.failed = true;
            self.bar.above(|| eprintln!("warning: no preview: {error}"));
        }
        if self.terminal {
            self.print(&picture);
        }
    }

    fn write(&self, picture: &DynamicImage) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let bytes = png_bytes(picture)?;
        atomically(path, |writer| {
            writer
                .write_all(&bytes)
                .map_err(|source| Error::Io { doing: "write a preview".to_owned(), source })
        })
    }

    /// By kitty's, iTerm2's or sixel pictures where the terminal has them, else by half blocks.
    fn print(&mut self, picture: &DynamicImage) {
        match self.bar.above(|| terminal::print(picture, self.rows)) {
            Some(rows) => self.rows = rows,
            // A terminal that cannot is no reason to stop drawing.
            None => self.terminal = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_the_last_preview() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.png");
        let mut screen = Screen {
            bar: Bar::new(false),
            path: Some(path.clone()),
            terminal: false,
            rows: 0,
            failed: false,
        };
        for side in [2, 3] {
            screen.write(&DynamicImage::new_rgb8(side, side)).unwrap();
            assert_eq!(image::image_dimensions(&path).unwrap(), (side, side));
        }
        screen.path = Some(folder.path().join("no/such/folder/p.png"));
        assert!(screen.write(&DynamicImage::new_rgb8(1, 1)).is_err());
    }
}
