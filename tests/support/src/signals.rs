//! Signals of programs that tests start.

use std::{io, os::unix::process::CommandExt, process::Command};

/// Has the program end by Ctrl-C and by a hang-up, unless it handles them, as one started from a terminal
/// does: a shell starts what runs in its background with Ctrl-C ignored, and `nohup` hang-ups, and
/// children inherit it.
pub fn by_default(command: &mut Command) -> &mut Command {
    // SAFETY: `signal` may be called between fork and exec, and nothing else is.
    unsafe {
        command.pre_exec(|| {
            for signal in [libc::SIGINT, libc::SIGHUP] {
                if libc::signal(signal, libc::SIG_DFL) == libc::SIG_ERR {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        })
    }
}
