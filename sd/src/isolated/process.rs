//! The worker as a process: ended, and never left behind.

use super::lock;
use std::{
    process::{Child, ExitStatus},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// A child that is killed and waited for when this is dropped.
#[derive(Debug)]
pub(super) struct Process(Mutex<Child>);

impl Process {
    pub(super) fn new(child: Child) -> Self {
        Self(Mutex::new(child))
    }

    pub(super) fn id(&self) -> u32 {
        lock(&self.0).id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        // A child that cannot be asked about was waited for by somebody else: it is gone.
        lock(&self.0).try_wait().unwrap_or_else(|_| Some(ExitStatus::default()))
    }

    /// Waits until it ends, at most so long.
    pub(super) fn wait(&self, most: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            match self.ended() {
                None if start.elapsed() < most => thread::sleep(Duration::from_millis(2)),
                ended => return ended,
            }
        }
    }

    /// Ends it, and what it may have started, at once.
    pub(super) fn kill(&self) {
        let mut child = lock(&self.0);
        // Only while its number cannot have gone to another process.
        if matches!(child.try_wait(), Ok(None)) {
            #[cfg(unix)]
            {
                use rustix::process::{Pid, Signal, kill_process_group};
                // It is the first of its group. If it has just ended, there is nobody to kill.
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            }
            // The same: it fails if it has just ended.
            let _ = child.kill();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its standard input is closed by now, upon which a worker ends by itself.
        const GRACE: Duration = Duration::from_millis(100);
        if self.wait(GRACE).is_none() {
            self.kill();
            // Comes back at once, except from a driver that does not let the process go.
            self.wait(Duration::from_secs(5));
        }
    }
}

/// The signal that ended a process, and how it ended in words.
pub(super) fn how(status: ExitStatus) -> (Option<i32>, String) {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let named = status.to_string().replacen("signal: ", "signal ", 1);
            return (Some(signal), format!("was killed by {named}"));
        }
    }
    match status.code() {
        Some(code) => (None, format!("ended with exit code {code}")),
        None => (None, format!("ended: {status}")),
    }
}
