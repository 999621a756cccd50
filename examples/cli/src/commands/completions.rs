//! `sdcpp completions`

use crate::{cli::Cli, report::Report};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Write shell completions.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell; its script goes to standard output
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> Report {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "sdcpp", &mut script);
        let script = String::from_utf8_lossy(&script).trim_end().to_owned();
        let mut report = Report::new("completions");
        report.set("shell", self.shell.to_string());
        report.set("script", script.as_str());
        report.line(script);
        report
    }
}
