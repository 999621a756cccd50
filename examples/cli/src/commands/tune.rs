//! `sdcpp tune`

use crate::{
    app::App,
    options::{EngineOptions, ModelOptions, settings_json},
    precedence::Base,
    report::{Report, seconds},
    values::{Pair, invalid},
};
use clap::Args;
use sdcpp::{
    Error,
    tune::{self, Measured, Outcome, Subject, Tried, TuneProgress, TuneReport, TunedFile},
};
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

/// Measure which settings are the fastest here, and write them down.
///
/// Draws by the defaults and by one candidate after another, by turns: threads, flash attention, direct
/// convolutions. Options of the engine that are given are not tuned: give those that are given when
/// pictures are drawn too. The file is used where --tuned says so, or where SDCPP_TUNED is its path;
/// docs/tuning.md has more.
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct Tune {
    /// Size of the picture, as 512 or 512x768; settings hold for sizes near it. Else SD_IMAGE_SIZE, the
    /// preset's, 512
    #[arg(long, value_name = "PIXELS", help_heading = "Measurement")]
    size: Option<Pair<u32>>,
    /// Steps of each picture [default: 2]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    steps: Option<u32>,
    /// How often the best so far and a candidate draw by turns, 3 to 99 [default: 5]
    #[arg(long, value_name = "N", help_heading = "Measurement")]
    turns: Option<u32>,
    /// Try nothing new after so many seconds [default: 600]
    #[arg(long, value_name = "SECONDS", help_heading = "Measurement", value_parser = crate::options::seconds)]
    budget: Option<Duration>,
    /// File to write; what else is in it stays. Else the file whose path SDCPP_TUNED is,
    /// sdcpp/tuned.json in the user's folder of configurations
    #[arg(short, long, value_name = "FILE", help_heading = "Measurement")]
    output: Option<PathBuf>,
    /// Say what would be tried, and open the model, but draw and write nothing
    #[arg(long, help_heading = "Measurement")]
    dry_run: bool,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

impl Tune {
    fn job(&self) -> Result<tune::Tune, Error> {
        let base = Base::read(&self.model, &self.engine)?;
        let mut request = base.request;
        if let Some(Pair(width, height)) = self.size {
            (request.width, request.height) = (width, height);
        }
        let mut job = tune::Tune::new(base.config);
        let usual = tune::Tune::request_for(&job.config)?;
        request.prompt = usual.prompt;
        request.seed = usual.seed;
        request.sampling.steps = self.steps.unwrap_or(usual.sampling.steps);
        request.check()?;
        job.config.check()?;
        job.turns = self.turns.unwrap_or(job.turns);
        job.budget = self.budget.unwrap_or(job.budget);
        Ok(job.request(request))
    }

    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        let mut job = self.job()?;
        let path = match &self.output {
            Some(path) if path.as_os_str() == "-" => {
                return Err(invalid("output", "-", "a file"));
            }
            Some(path) => path.clone(),
            None => tune::default_path()?,
        };
        // A file that cannot be used or written is told before minutes are spent.
        TunedFile::open_or_new(&path)?.check_writable()?;
        let engine = app.engine()?;
        if self.engine.sets_threads() {
            job.config.threads = job.config.threads.or_else(|| Some(engine.physical_cores()));
        }
        let mut report = Report::new("tune");
        report.set("file", path.display().to_string());
        if self.dry_run {
            let candidates = job.plan(&engine, app.watch(None))?;
            let words: Vec<_> = candidates.iter().map(ToString::to_string).collect();
            report.line(format!("would try {}, and write {}", words.join(", "), path.display()));
            report.set("dry_run", true);
            let list =
                candidates.iter().map(|c| json!({ "setting": c.field(), "value": c.value() }));
            report.set("candidates", list.collect::<Vec<_>>());
            return Ok(report);
        }
        let tuned = job.run_with(&engine, app.watch(None), |progress| match progress {
            TuneProgress::Default => app.note("measuring the defaults"),
            TuneProgress::Trying { candidate, number, of } => {
                app.note(&format!("{number} of {of}: {candidate}"));
            }
            TuneProgress::Together(settings) => app.note(&format!("all together: {settings}")),
            _ => {}
        })?;
        tell(&mut report, &tuned);
        if let Err(error) = tuned.save_to(&path) {
            report.print_lines(app);
            return Err(error);
        }
        report.line(format!("written to {}; used by --tuned", path.display()));
        Ok(report)
    }
}

/// The table and the choice.
fn tell(report: &mut Report, tuned: &TuneReport) {
    report.line(format!(
        "{:<26} {:>5} {:>10} {:>10} {:>6} {:>6}",
        "setting", "value", "time", "best", "ratio", "turns"
    ));
    for tried in &tuned.tried {
        let (field, value) = (tried.candidate.field(), tried.candidate.value());
        report.line(format!("{field:<26} {value:>5} {}", row(&tried.outcome)));
    }
    if let Some(measured) = &tuned.together {
        let end = if tuned.settings.is_default() { "slower as a whole" } else { "" };
        let row = numbers(measured);
        report.line(format!("{:<32} {row}  {end}", "all together, to the defaults").trim_end());
    }
    report.line(format!("fastest here: {}", tuned.settings));
    report.set("tried", tuned.tried.iter().map(to_json).collect::<Vec<_>>());
    report.set("settings", settings_json(&tuned.settings));
    report.set("default_seconds", seconds(tuned.default_time));
    report.set("together", tuned.together.as_ref().map(measured_json));
    report.set("subject", subject_json(&tuned.subject));
    report.set("pictures", tuned.pictures);
    report.set("timings", json!({ "total": seconds(tuned.time) }));
    report.note(format!("{} pictures in {:.1} s", tuned.pictures, tuned.time.as_secs_f64()));
}

fn row(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Chosen(measured) => format!("{}  chosen", numbers(measured)),
        Outcome::NotFaster(measured) => numbers(measured),
        Outcome::Failed(error) => format!("failed: {error}"),
        _ => "no time".to_owned(),
    }
}

fn numbers(measured: &Measured) -> String {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    format!(
        "{:>10} {:>10} {:>6.2} {:>6}",
        ms(measured.candidate),
        ms(measured.best),
        measured.ratio,
        format!("{}/{}", measured.wins, measured.turns),
    )
}

fn measured_json(measured: &Measured) -> Value {
    json!({
        "seconds": seconds(measured.candidate),
        "best_seconds": seconds(measured.best),
        "ratio": (measured.ratio * 1000.0).round() / 1000.0,
        "turns": measured.turns,
        "wins": measured.wins,
    })
}

fn to_json(tried: &Tried) -> Value {
    let (outcome, measured, error) = match &tried.outcome {
        Outcome::Chosen(measured) => ("chosen", Some(measured), None),
        Outcome::NotFaster(measured) => ("not_faster", Some(measured), None),
        Outcome::Failed(error) => ("failed", None, Some(error)),
        _ => ("no_time", None, None),
    };
    json!({
        "setting": tried.candidate.field(),
        "value": tried.candidate.value(),
        "outcome": outcome,
        "measured": measured.map(measured_json),
        "error": error.map(|error| json!({ "kind": error.kind(), "message": error.to_string() })),
    })
}

fn subject_json(subject: &Subject) -> Value {
    serde_json::to_value(subject).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parsed(line: &str) -> Tune {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Tune(options) => *options,
            _ => unreachable!(),
        }
    }

    #[test]
    fn options_are_those_of_the_measurement() {
        let options =
            parsed("sdcpp tune -m m.gguf --size 512x768 --steps 4 --turns 3 --budget 1.5");
        assert_eq!(options.size, Some(Pair(512, 768)));
        assert_eq!((options.steps, options.turns), (Some(4), Some(3)));
        assert_eq!(options.budget, Some(Duration::from_millis(1500)));
        assert_eq!(parsed("sdcpp tune --size 64").size, Some(Pair(64, 64)));
        assert!(Cli::try_parse_from(["sdcpp", "tune", "--budget", "-1"]).is_err());
    }
}
