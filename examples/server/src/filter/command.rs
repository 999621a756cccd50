//! A program that looks at pictures.

use super::{Candidate, LIMIT, MOST, SafetyFilter, Verdict, verdict};
use crate::error::ApiError;
use std::{
    path::{Path, PathBuf},
    process::Stdio,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    runtime::Handle,
};

/// A program that is run for each picture. It reads an object in JSON from its standard input, with
/// `prompt`, `model` and `image` (base64 of a PNG), and writes a [`Verdict`] in JSON to its standard
/// output. It must end with status 0 within 30 seconds.
#[derive(Debug)]
pub struct CommandFilter {
    program: PathBuf,
}

impl CommandFilter {
    /// This program, which gets no arguments.
    ///
    /// # Errors
    /// It is a path, and there is no such file.
    pub fn new(program: &Path) -> Result<Self, ApiError> {
        let is_path = program.components().count() > 1;
        if is_path && !program.is_file() {
            let allowed = "a program that exists";
            return Err(ApiError::invalid("safety-filter-command", program.display(), allowed));
        }
        Ok(Self { program: program.to_path_buf() })
    }

    async fn run(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        // Clients are told this, and where the program is is not their business.
        let words = |error: std::io::Error| format!("its program cannot be run: {error}");
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // What it starts itself ends with it.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(words)?;
        let mut group = Group(child.id());
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let write = async {
            if let Some(mut input) = input {
                match input.write_all(message).await {
                    // It may judge by the prompt, and not read the rest.
                    Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                    other => other,
                }
            } else {
                Ok(())
            }
        };
        let read = async {
            let mut text = Vec::new();
            if let Some(output) = output {
                output.take(MOST).read_to_end(&mut text).await?;
            }
            Ok(text)
        };
        let ((), text) = tokio::try_join!(write, read).map_err(words)?;
        let status = child.wait().await.map_err(words)?;
        group.0 = None;
        if !status.success() {
            return Err(format!("its program ended with {status}"));
        }
        Ok(text)
    }
}

/// Ends a program and what it started, unless it has ended.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 0) {
            // SAFETY: a signal to a group has no effect on this process's memory. The group is that of a
            // child that has not been waited for, so that its number is no other's.
            unsafe {
                libc::kill(-id, libc::SIGKILL);
            }
        }
    }
}

impl SafetyFilter for CommandFilter {
    fn name(&self) -> String {
        self.program.display().to_string()
    }

    fn judge(&self, candidate: &Candidate<'_>) -> Result<Verdict, String> {
        let runtime = Handle::try_current().map_err(|error| error.to_string())?;
        let message = candidate.message();
        // What takes longer is killed when it is dropped.
        let text =
            runtime.block_on(async { tokio::time::timeout(LIMIT, self.run(&message)).await });
        let text = text.map_err(|_| format!("its program took longer than {LIMIT:?}"))??;
        verdict(&text)
    }
}
