//! `sdcpp upscale`

use super::enlarge::Enlarger;
use crate::{
    app::App,
    options::{EngineOptions, OutputOptions, UpscalerOptions},
    output::{Drawn, Names},
    report::{Report, seconds},
};
use clap::Args;
use sdcpp::{Error, open_picture};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// Enlarge pictures by an ESRGAN model.
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct Upscale {
    /// Picture to enlarge (PNG or JPEG); may be repeated
    #[arg(short, long = "init-img", visible_alias = "input", required = true, value_name = "FILE")]
    init_img: Vec<PathBuf>,
    /// ESRGAN model (safetensors or GGUF)
    #[arg(long, visible_alias = "upscale-model", value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    upscaler: UpscalerOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

impl Upscale {
    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        let begin = self.output.output_begin_idx;
        let names = Names::new(&self.output.output, begin, &["png", "jpg", "jpeg"])?;
        let pictures = self.init_img.iter().map(open_picture).collect::<Result<Vec<_>, _>>()?;
        names.prepare_folder()?;
        let mut enlarger = Enlarger::open(app, &self.model, &self.upscaler, &self.engine)?;
        let mut report = Report::new("upscale");
        let (mut images, mut warnings, mut time) = (Vec::new(), Vec::new(), Duration::ZERO);
        for (index, picture) in pictures.into_iter().enumerate() {
            let enlarged = enlarger.enlarge(app, picture)?;
            let path = names.file(index, 0);
            let drawn = Drawn { picture: enlarged.picture, seed: 0, parameters: None };
            drawn.save(&path)?;
            let (width, height) = (drawn.picture.width(), drawn.picture.height());
            report.line(format!("{} ({width}x{height})", path.display()));
            images.push(json!({
                "file": path.display().to_string(), "width": width, "height": height,
            }));
            warnings.extend(enlarged.warnings);
            time += enlarged.time;
        }
        report.set("model", json!({ "path": self.model.display().to_string() }));
        report.set("factor", enlarger.factor());
        report.set("images", images);
        let total = enlarger.opened + time;
        report.set(
            "timings",
            json!({ "open": seconds(enlarger.opened), "upscaling": seconds(time), "total": seconds(total) }),
        );
        report.note(format!(
            "upscaling {:.2} s, in all {:.2} s",
            time.as_secs_f64(),
            total.as_secs_f64()
        ));
        report.warnings(&warnings);
        Ok(report)
    }
}
