//! Which program is the worker.

use super::{
    serve::{VARIABLE, called_first},
    streams::{self, Streams},
};
use crate::{Error, Result};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Child, Command},
};

/// The name of the worker program that comes with this crate's repository.
const NAME: &str = "sdcpp-worker";

/// Which program is started as the worker.
///
/// It must call [`worker_main`](super::worker_main) first thing, and be built from the same version
/// of this crate. The program `sdcpp-worker` of this repository does nothing else.
///
/// ```
/// use sdcpp::isolated::WorkerCommand;
///
/// let installed = WorkerCommand::program("/usr/libexec/sdcpp-worker");
/// let beside = WorkerCommand::beside_this_program();
/// let itself = WorkerCommand::this_program();
/// # drop((installed, beside, itself));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerCommand {
    program: Program,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    At(PathBuf),
    Beside,
    This,
}

impl WorkerCommand {
    /// The program at this path; a bare name is looked for in `PATH`. For hosts that are not written
    /// in Rust, such as Python, and for all others.
    pub fn program(path: impl Into<PathBuf>) -> Self {
        Self::of(Program::At(path.into()))
    }

    /// The program `sdcpp-worker` in the folder of this program.
    pub fn beside_this_program() -> Self {
        Self::of(Program::Beside)
    }

    /// This program once more. Its `main` must call [`worker_main`](super::worker_main) before
    /// anything else; [`Worker::start`](super::Worker::start) refuses if it did not.
    pub fn this_program() -> Self {
        Self::of(Program::This)
    }

    fn of(program: Program) -> Self {
        Self { program, arguments: Vec::new(), environment: Vec::new() }
    }

    /// Adds an argument. `sdcpp-worker` takes none.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the worker's environment, which is otherwise the host's: for instance the
    /// devices a driver shows.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The program's path, for errors.
    pub(super) fn path(&self) -> PathBuf {
        let this = || env::current_exe().unwrap_or_else(|_| PathBuf::from("this program"));
        match &self.program {
            Program::At(path) => path.clone(),
            Program::Beside => this().with_file_name(format!("{NAME}{}", env::consts::EXE_SUFFIX)),
            Program::This => this(),
        }
    }

    /// Starts it, as a worker that says `nonce` when it greets.
    ///
    /// # Errors
    /// [`Error::WorkerStart`].
    pub(super) fn spawn(&self, nonce: &str) -> Result<(Child, Streams)> {
        let path = self.path();
        let refused = |reason: String| Error::WorkerStart { program: path.clone(), reason };
        if env::var_os(VARIABLE).is_some() {
            // A host that forgot the call would start itself without end.
            return Err(refused(
                "this process was started as a worker itself; call sdcpp::isolated::worker_main() \
                 first thing in main, so that it becomes one"
                    .to_owned(),
            ));
        }
        if self.program == Program::This && !called_first() {
            return Err(refused(
                "to be its own worker, this program must call sdcpp::isolated::worker_main() first \
                 thing in main; or give the path of sdcpp-worker"
                    .to_owned(),
            ));
        }
        let mut command = self.command(&path);
        command
            .args(&self.arguments)
            .envs(allocator())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(VARIABLE, format!("{}:{nonce}", super::message::PROTOCOL));
        // It is dropped there, and with it the worker's ends of the streams.
        streams::spawn(command).map_err(|e| refused(e.to_string()))
    }

    fn command(&self, path: &Path) -> Command {
        #[cfg(target_os = "linux")]
        let start = if self.program == Program::This {
            use std::os::unix::process::CommandExt;
            // The file may have been replaced since this program was started.
            let mut start = Command::new("/proc/self/exe");
            start.arg0(path);
            start
        } else {
            Command::new(path)
        };
        #[cfg(not(target_os = "linux"))]
        let start = Command::new(path);
        own_group(start)
    }
}

/// One heap for all threads of the worker, where the C library is glibc and the host does not say
/// otherwise. The engine's threads come and go; with a heap each, its buffers are given back and
/// taken anew for every picture, which costs some hundredths of the time.
fn allocator() -> Option<(&'static str, &'static str)> {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    (cfg!(target_os = "linux") && env::var_os(ARENAS).is_none()).then_some((ARENAS, "1"))
}

/// What the terminal sends to the host's group (Ctrl-C) is for the host to decide on.
#[cfg(unix)]
fn own_group(mut command: Command) -> Command {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    command
}

#[cfg(not(unix))]
fn own_group(command: Command) -> Command {
    command
}
