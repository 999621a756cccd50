//! Starts the service, and ends it when it is told to.

mod manager;
mod signals;

use clap::Parser;
use manager::State;
use sdcpp_server::{ApiError, Cli, Logs, Options, Service, app, listen, report, serve};
use signals::{Hangups, signalled};
use std::{process::ExitCode, time::Duration};
use tokio::sync::oneshot;

/// How long clients have to fetch what was drawn last.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    // First of all: in a worker this does not return.
    sdcpp::isolated::worker_main();
    sdcpp_server::memory::begin();
    let cli = Cli::parse();
    let options = match cli.options.with_file() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let logs = match Logs::start(&options) {
        Ok(logs) => logs,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let done = match cli.command {
        Some(command) => command.run(&options),
        None => run(options, logs).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{}", error.message);
            if let Some(advice) = error.advice {
                eprintln!("{advice}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options, logs: Logs) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The rest waits: hundreds of clients at once would have hundreds of threads, each with its stack.
        .max_blocking_threads(32)
        .build()
        .map_err(|error| ApiError::internal(format!("no threads can be started: {error}")))?;
    let service = Service::start(options)?;
    runtime.block_on(run_service(service, logs))
}

async fn run_service(service: Service, logs: Logs) -> Result<(), ApiError> {
    let address = service.options().address();
    let listener = listen(address)
        .map_err(|error| ApiError::internal(format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr().map_err(|error| ApiError::internal(error.to_string()))?;
    service.begin().await?;
    report(&service, address);
    // Before anybody is told that it may send them.
    let hangups = Hangups::of(&service.options());
    // The one line on stdout, for who started it.
    println!("http://{address}");
    let (stop, stopped) = oneshot::channel::<()>();
    let served_by = service.clone();
    let mut serving = tokio::spawn(async move {
        let stop = async {
            // An error means that nobody tells any more, which is the end too.
            let _ended = stopped.await;
        };
        serve(listener, &served_by, app(served_by.clone()), stop).await;
    });
    tokio::spawn(hangups.heed(service.clone(), logs));
    manager::tell(State::Ready);
    tokio::select! {
        ended = &mut serving => return served(ended),
        () = signalled() => {}
    }
    manager::tell(State::Stopping);
    let limit = service.options().drain_limit();
    tracing::info!(
        "stopping: what was accepted is drawn, {limit:?} at most; once more stops at once"
    );
    // Nothing new is accepted, and what was accepted can be asked for until it has been fetched.
    let waited_for = !service.jobs().open().is_empty();
    let drained = async {
        service.drain(limit).await;
        if waited_for {
            tokio::time::sleep(LAST_ANSWERS).await;
        }
    };
    tokio::select! {
        () = drained => {}
        () = signalled() => return Ok(()),
    }
    // The server may have ended by itself.
    let _told = stop.send(());
    // Who does not fetch the answer is not waited for.
    match tokio::time::timeout(LAST_ANSWERS, serving).await {
        Ok(ended) => served(ended),
        Err(_) => Ok(()),
    }
}

fn served(ended: Result<(), tokio::task::JoinError>) -> Result<(), ApiError> {
    ended.map_err(|error| ApiError::internal(error.to_string()))
}
