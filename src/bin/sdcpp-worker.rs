//! The worker program of `sdcpp::isolated`: a host starts it, and tells it what to draw.

use std::process::ExitCode;

fn main() -> ExitCode {
    sdcpp::isolated::worker_main();
    eprintln!(
        "sdcpp-worker {} is started by programs that use sdcpp, with \
         sdcpp::isolated::WorkerCommand::program; it does nothing by itself",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::from(2)
}
