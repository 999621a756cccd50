//! The worker as a process: ended, and never left behind.

use crate::sync::Lock;
use std::{
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// A child that is killed and waited for when this is dropped. However it ends, what it started and
/// left in its group ends with it.
#[derive(Debug)]
pub(super) struct Process(Lock<State>);

#[derive(Debug)]
struct State {
    child: Child,
    ended: Option<ExitStatus>,
}

impl State {
    fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            #[cfg(unix)]
            if self.waits_to_be_reaped() {
                self.kill_group();
            }
            // A child that cannot be asked about was waited for by somebody else: it is gone.
            self.ended = self.child.try_wait().unwrap_or_else(|_| Some(ExitStatus::default()));
        }
        self.ended
    }

    /// Whether it has ended, and keeps its number still: no other group can have it.
    #[cfg(unix)]
    fn waits_to_be_reaped(&self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        matches!(waitid(WaitId::Pid(Pid::from_child(&self.child)), look), Ok(Some(_)))
    }

    /// Only for one that was not reaped.
    #[cfg(unix)]
    fn kill_group(&self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // It is the first of its group. If it was the only one and has ended, there is nobody to kill.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

impl Process {
    pub(super) fn new(child: Child) -> Self {
        Self(Lock::new(State { child, ended: None }))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.lock().child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        self.0.lock().ended()
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
        let mut state = self.0.lock();
        if state.ended().is_none() {
            #[cfg(unix)]
            state.kill_group();
            // It fails if it has just ended.
            let _ = state.child.kill();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its standard input has ended by now, upon which a worker ends by itself.
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
