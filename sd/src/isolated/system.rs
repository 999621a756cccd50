//! What a worker asks of the system: its pipes for itself, a limit, a quick end.

use crate::{Error, Result};
use std::io::{self, Read, Write};

/// Takes standard input and output away from everybody else: a library that prints must not write
/// into the messages. What it prints goes to standard error, and its reads find nothing.
#[cfg(unix)]
pub(super) fn take_pipes() -> io::Result<(impl Read + Send, impl Write + Send)> {
    use rustix::stdio::{dup2_stdin, dup2_stdout};
    use std::{fs::File, os::fd::AsFd};
    // These are closed in programs that the worker might start.
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    Ok((File::from(input), File::from(output)))
}

/// Standard input and output as they are. Written for Windows, and not run there so far.
#[cfg(not(unix))]
pub(super) fn take_pipes() -> io::Result<(impl Read + Send, impl Write + Send)> {
    Ok((io::stdin(), io::stdout()))
}

/// The process that started this one.
#[cfg(unix)]
pub(super) fn parent() -> Option<u32> {
    let parent = rustix::process::getppid()?;
    u32::try_from(parent.as_raw_nonzero().get()).ok()
}

/// Not told here: the end of standard input is what tells a worker that its host is gone.
#[cfg(not(unix))]
pub(super) fn parent() -> Option<u32> {
    None
}

/// Lets the system write no core file when this process crashes: of gigabytes of memory it takes so
/// long that the host would take it for silence.
#[cfg(unix)]
pub(super) fn no_dump() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Core).maximum;
    // Too little for a file; and 1, unlike 0, holds on Linux for programs too that it hands cores to.
    let limit = Rlimit { current: Some(maximum.map_or(1, |most| most.min(1))), maximum };
    // Lowering it is always allowed; and without it all goes on, only slower in a crash.
    let _ = setrlimit(Resource::Core, limit);
}

#[cfg(not(unix))]
pub(super) fn no_dump() {}

/// Limits what this process may write to. See `WorkerOptions::memory_limit`.
#[cfg(target_os = "linux")]
pub(super) fn limit_memory(bytes: u64) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Not the address space: drivers and allocators reserve much of it that they never use.
    let most = getrlimit(Resource::Data).maximum.map_or(bytes, |most| most.min(bytes));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(Resource::Data, limit).map_err(|e| Error::io("limit the worker's memory", e.into()))
}

/// `WorkerOptions::check` lets no limit come here.
#[cfg(not(target_os = "linux"))]
pub(super) fn limit_memory(_: u64) -> Result<()> {
    Err(Error::Unsupported {
        what: "memory_limit".to_owned(),
        reason: "only Linux keeps such a limit".to_owned(),
    })
}

/// Ends this process now. The engine may be computing in other threads: nothing that runs at an
/// ordinary exit (destructors of C++, handlers of drivers) may be waited for.
pub(super) fn end_now() -> ! {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // A process may always kill itself.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}
