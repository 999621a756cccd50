//! `sdcpp`: pictures and videos on the command line, by stable-diffusion.cpp.

#![forbid(unsafe_code)]

mod app;
mod bar;
mod cancel;
mod cli;
mod commands;
mod exit;
mod memory;
mod options;
mod output;
mod precedence;
mod preview;
mod report;
mod source;
mod terminal;
mod upstream;
#[cfg(test)]
mod upstream_lines;
mod values;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = upstream::with_subcommand(std::env::args_os().collect());
    let asks_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error, asks_json),
    };
    let app = app::App::new(cli.global);
    match commands::run(&app, cli.command) {
        Ok(report) => {
            report.print(&app);
            ExitCode::SUCCESS
        }
        Err(error) => exit::failure(&error, &app),
    }
}
