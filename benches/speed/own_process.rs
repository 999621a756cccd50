//! `Context::generate` in a process of its own, as [`Direct`](crate::direct::Direct) is for the C API: so both
//! sides of a comparison are as young as each other, and have the same behind them.

use crate::{Outcome, direct::Warm, overhead, start, upstream};
use sdcpp::{Context, ImageRequest, ModelConfig, Timings};
use std::{
    env, fs,
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

/// A process with this set does the task that it names: a measurement's, and its place in a list.
const TASK: &str = "SDCPP_BENCH_TASK";

/// What a process draws.
pub(crate) struct Task {
    pub(crate) config: ModelConfig,
    pub(crate) request: ImageRequest,
    /// What comes before the picture that counts.
    pub(crate) warm: Warm,
    /// How often it draws that; the fastest counts.
    pub(crate) repeat: u32,
}

/// What it drew, and how long it took.
pub(crate) struct Drawn {
    /// RGB.
    pub(crate) pixels: Vec<u8>,
    /// The call that draws.
    pub(crate) picture: Duration,
    pub(crate) sampling: Duration,
    pub(crate) decoding: Duration,
    /// The whole process.
    pub(crate) process: Duration,
}

/// By the names that [`OwnProcess::new`] is given.
fn task(name: &str) -> Outcome<Task> {
    let (measurement, place) = name.split_once('/').ok_or("a task has a place")?;
    let place = place.parse()?;
    match measurement {
        "start" => Ok(start::task()),
        "overhead" => overhead::task(place),
        "upstream" => upstream::task(place),
        _ => Err(format!("there are no tasks of {measurement}").into()),
    }
}

/// In such a process, its exit code.
pub(crate) fn run_task() -> Option<ExitCode> {
    let name = env::var(TASK).ok()?;
    let out = env::args_os().nth(1).map(PathBuf::from);
    let drawn = out.ok_or("no file is named".into()).and_then(|out| draw(&task(&name)?, out));
    Some(match drawn {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

/// Prints the seconds of the picture and of its phases, and writes its pixels.
fn draw(Task { config, request, warm, repeat }: &Task, out: PathBuf) -> Outcome {
    let mut context = Context::new(config)?;
    match warm {
        Warm::No => {}
        Warm::Same => drop(context.generate(&request.clone().steps(2))?),
        Warm::Small => drop(context.generate(&request.clone().size(64, 64).steps(1))?),
    }
    let mut fastest: Option<[Duration; 3]> = None;
    for _ in 0..*repeat {
        let begin = Instant::now();
        let generated = context.generate(request)?;
        let took = begin.elapsed();
        fs::write(&out, generated.first().ok_or("no picture")?.as_bytes())?;
        if fastest.is_none_or(|[fastest, ..]| took < fastest) {
            let Timings { sampling, decoding, .. } = generated.timings;
            fastest = Some([took, sampling, decoding]);
        }
    }
    for time in fastest.ok_or("nothing was drawn")? {
        println!("{}", time.as_secs_f64());
    }
    Ok(())
}

pub(crate) struct OwnProcess {
    task: String,
    folder: tempfile::TempDir,
}

impl OwnProcess {
    pub(crate) fn new(measurement: &str, place: usize) -> Outcome<Self> {
        Ok(Self { task: format!("{measurement}/{place}"), folder: tempfile::tempdir()? })
    }

    pub(crate) fn draw(&self) -> Outcome<Drawn> {
        let out = self.folder.path().join("rgb");
        let begin = Instant::now();
        let output = Command::new(env::current_exe()?).env(TASK, &self.task).arg(&out).output()?;
        let process = begin.elapsed();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let said = String::from_utf8(output.stdout)?;
        let mut times = said
            .lines()
            .map(|line| -> Outcome<Duration> { Ok(Duration::try_from_secs_f64(line.parse()?)?) });
        let mut next = || times.next().ok_or("a time is missing")?;
        let (picture, sampling, decoding) = (next()?, next()?, next()?);
        Ok(Drawn { pixels: fs::read(out)?, picture, sampling, decoding, process })
    }
}
