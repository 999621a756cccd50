//! What the commands that draw pictures have in common.

use super::enlarge::{Enlarger, check_model};
use crate::{
    app::App,
    memory,
    options::{
        BatchOptions, CacheOptions, ControlOptions, EngineOptions, HiresOptions, ModelOptions,
        OutputOptions, PhotoMakerOptions, PictureOptions, PreviewArguments, ReferenceOptions,
        RunOptions, SamplingOptions, TilingOptions, TunedOptions, UpscaleOptions,
    },
    output::{Drawn, Names, to_stdout},
    precedence::Base,
    preview,
    report::Report,
    values::invalid,
};
use clap::Args;
use sdcpp::{Context, Error, Generated, ImageRequest, MemoryEstimate, ModelConfig};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// The options of all commands that draw pictures.
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct DrawOptions {
    #[command(flatten)]
    pub(crate) picture: PictureOptions,
    #[command(flatten)]
    pub(crate) batch: BatchOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) model: ModelOptions,
    #[command(flatten)]
    pub(crate) sampling: SamplingOptions,
    #[command(flatten)]
    pub(crate) references: ReferenceOptions,
    #[command(flatten)]
    pub(crate) control: ControlOptions,
    #[command(flatten)]
    pub(crate) photo_maker: PhotoMakerOptions,
    #[command(flatten)]
    pub(crate) hires: HiresOptions,
    #[command(flatten)]
    pub(crate) upscale: UpscaleOptions,
    #[command(flatten)]
    pub(crate) tiling: TilingOptions,
    #[command(flatten)]
    pub(crate) cache: CacheOptions,
    #[command(flatten)]
    pub(crate) preview: PreviewArguments,
    #[command(flatten)]
    pub(crate) engine: EngineOptions,
    #[command(flatten)]
    pub(crate) tuned: TunedOptions,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// Where the pictures go.
enum Sink {
    Files(Names),
    Stdout,
}

/// What is to be drawn, checked.
pub(crate) struct Job {
    pub(crate) config: ModelConfig,
    pub(crate) request: ImageRequest,
    pub(crate) time_limit: Option<Duration>,
}

impl DrawOptions {
    /// Draws what the options and `change` ask for.
    pub(crate) fn run(
        &self,
        app: &App,
        command: &str,
        change: impl FnOnce(ImageRequest) -> Result<ImageRequest, Error>,
    ) -> Result<Report, Error> {
        let sink = self.sink(app)?;
        let mut job = self.job(change)?;
        job.request.check()?;
        job.config.check()?;
        if let Some(model) = &self.upscale.upscale_model {
            check_model(model)?;
        }
        let engine = app.engine()?;
        if !self.run.dry_run
            && let Sink::Files(names) = &sink
        {
            names.prepare_folder()?;
        }
        let threads_are_set = self.engine.sets_threads();
        let tuned =
            self.tuned.apply(app, &engine, &mut job.config, &job.request, threads_are_set)?;
        let mut context = Context::open(&engine, &job.config, app.watch(None))?;
        let mut report = Report::new(command);
        if let Some(tuned) = tuned {
            report.set("tuned", tuned);
        }
        report.set("model", model_json(&context));
        if self.run.dry_run {
            tell_plan(&mut report, &context, &job.request, &sink);
            memory::tell(&mut report, MemoryEstimate::of(&job.config, &job.request))?;
            return Ok(report);
        }
        let watch = preview::show(app, &self.preview, app.watch(job.time_limit));
        let generated = context.generate_with(&job.request, watch)?;
        let (opened, family) = (context.load_timings().total, context.family().to_owned());
        // The memory is for the upscaler.
        drop(context);
        self.finish(app, &mut report, &sink, generated, (opened, &family))?;
        Ok(report)
    }

    /// Model and request by all sources.
    pub(crate) fn job(
        &self,
        change: impl FnOnce(ImageRequest) -> Result<ImageRequest, Error>,
    ) -> Result<Job, Error> {
        let base = Base::read(&self.model, &self.engine)?;
        let source = &self.picture.source;
        let mut request = source.json(source.picture(base.request)?)?;
        self.picture.apply(&mut request);
        self.batch.apply(&mut request);
        self.sampling.apply(&mut request.sampling);
        self.tiling.apply(&mut request.vae_tiling, &mut request.vae_tiling_fallback);
        self.cache.apply(&mut request.step_cache)?;
        self.hires.apply(&mut request.hires)?;
        self.photo_maker.apply(&mut request)?;
        let request = change(request)?;
        let request = self.references.apply(request)?;
        let request = self.control.apply(request)?;
        let time_limit = self.run.time_limit(base.time_limit);
        Ok(Job { config: base.config, request, time_limit })
    }

    fn sink(&self, app: &App) -> Result<Sink, Error> {
        if self.output.output.as_os_str() != "-" {
            let begin = self.output.output_begin_idx;
            let formats = ["png", "jpg", "jpeg"];
            return Ok(Sink::Files(Names::new(&self.output.output, begin, &formats)?));
        }
        match (app.json, self.batch.is_one()) {
            (true, _) => Err(invalid("output", "-", "a file, together with --json")),
            (_, false) => Err(invalid("output", "-", "a file, for more than one picture")),
            _ => Ok(Sink::Stdout),
        }
    }

    /// Enlarges and writes the pictures, and tells of them.
    fn finish(
        &self,
        app: &App,
        report: &mut Report,
        sink: &Sink,
        generated: Generated,
        (opened, family): (Duration, &str),
    ) -> Result<(), Error> {
        let mut enlarger = match &self.upscale.upscale_model {
            Some(model) => Some(Enlarger::open(app, model, &self.upscale.upscaler, &self.engine)?),
            None => None,
        };
        let mut timings = generated.timings;
        let mut warnings = generated.warnings;
        let mut drawn = Vec::new();
        for picture in generated.images {
            let seed = picture.seed();
            let parameters =
                (!self.output.disable_image_metadata).then(|| picture.parameters().to_owned());
            let picture = match &mut enlarger {
                Some(enlarger) => {
                    let enlarged = enlarger.enlarge(app, picture.to_rgb().into())?;
                    timings.upscaling += enlarged.time;
                    timings.total += enlarged.time;
                    warnings.extend(enlarged.warnings);
                    enlarged.picture
                }
                None => picture,
            };
            drawn.push(Drawn { picture, seed, parameters });
        }
        let mut images = Vec::new();
        for (index, picture) in drawn.iter().enumerate() {
            let file = match sink {
                Sink::Files(names) => {
                    let path = names.file(index, picture.seed);
                    picture.save(&path)?;
                    report.line(format!("{} ({family}, seed {})", path.display(), picture.seed));
                    Value::from(path.display().to_string())
                }
                Sink::Stdout => {
                    to_stdout(picture)?;
                    Value::Null
                }
            };
            images.push(json!({
                "file": file,
                "seed": picture.seed,
                "width": picture.picture.width(),
                "height": picture.picture.height(),
            }));
        }
        report.set("images", images);
        report.timings(opened, timings);
        report.warnings(&warnings);
        Ok(())
    }
}

/// The model, for JSON.
pub(crate) fn model_json(context: &Context) -> Value {
    let path = context.config().main_file().unwrap_or(Path::new(""));
    json!({ "path": path.display().to_string(), "family": context.family() })
}

/// What would be drawn.
fn tell_plan(report: &mut Report, context: &Context, request: &ImageRequest, sink: &Sink) {
    let files: Vec<_> = match sink {
        Sink::Files(names) => (0..request.batch as usize)
            .map(|index| names.file(index, request.seed.unwrap_or(-1)).display().to_string())
            .collect(),
        Sink::Stdout => vec!["-".to_owned()],
    };
    let sampler = request.sampling.sampler.unwrap_or(context.default_sampler());
    let scheduler = request.sampling.scheduler.map(|scheduler| scheduler.name());
    report.set("dry_run", true);
    report.set(
        "request",
        json!({
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "width": request.width,
            "height": request.height,
            "steps": request.sampling.steps,
            "cfg_scale": request.sampling.cfg_scale,
            "sampler": sampler.name(),
            "scheduler": scheduler,
            "seed": request.seed.filter(|seed| *seed >= 0),
            "batch": request.batch,
        }),
    );
    report.line(format!(
        "would draw {} x {}x{} with {}, {} steps of {sampler}, to {}",
        request.batch,
        request.width,
        request.height,
        context.family(),
        request.sampling.steps,
        files.join(", "),
    ));
    report.set("files", files);
}
