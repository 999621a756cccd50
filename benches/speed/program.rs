//! Another runtime, as a program that stays and is asked by lines: it says `ready NAME VERSION, TYPE`,
//! answers `step SIDE` and `decode SIDE` with seconds, and some `memory SIDE` with the bytes that they had at
//! the most.

use crate::Outcome;
use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

pub(crate) struct Program {
    child: Child,
    /// None once it has been told to end.
    asks: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    /// Name, version and type, as it says.
    name: String,
}

impl Program {
    /// Returns when it is ready, which takes as long as its weights. It complains on this process's stderr.
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let asks = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no pipe to read from")?).lines();
        let name = command.get_program().to_string_lossy().into_owned();
        let mut program = Self { child, asks, answers, name };
        let said = program.answer()?;
        let ready = said.strip_prefix("ready ");
        program.name = ready.ok_or_else(|| program.unexpected("ready", &said))?.to_owned();
        Ok(program)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How long it took for one `phase` of a picture with so many pixels to a side.
    pub(crate) fn time(&mut self, phase: &str, side: u32) -> Outcome<Duration> {
        let seconds = self.ask(phase, side)?;
        Ok(Duration::try_from_secs_f64(seconds)
            .map_err(|_| self.unexpected("seconds", &seconds.to_string()))?)
    }

    /// The number that it answers.
    pub(crate) fn ask(&mut self, what: &str, side: u32) -> Outcome<f64> {
        let asks = self.asks.as_mut().ok_or("it was told to end")?;
        // If it has ended, that is told below.
        let _ = writeln!(asks, "{what} {side}");
        let said = self.answer()?;
        Ok(said.parse().map_err(|_| self.unexpected("a number", &said))?)
    }

    fn answer(&mut self) -> Outcome<String> {
        match self.answers.next() {
            Some(line) => Ok(line?),
            None => Err(format!("{} ended with {}", self.name, self.child.wait()?).into()),
        }
    }

    fn unexpected(&self, expected: &str, said: &str) -> String {
        format!("{} was to say {expected}, and said {said:?}", self.name)
    }
}

impl Drop for Program {
    /// It ends when it is asked no more.
    fn drop(&mut self) {
        self.asks = None;
        let _ = self.child.wait();
    }
}
