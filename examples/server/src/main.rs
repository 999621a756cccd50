//! Starts the service, and ends it when it is told to.

use clap::Parser;
use sdcpp_server::{ApiError, Cli, Options, Service, app, listen};
use std::{process::ExitCode, time::Duration};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

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
    // The engine tells some thirty lines of each picture.
    let level = options.log_level.as_deref().unwrap_or("info,sdcpp::engine=warn").to_lowercase();
    let filter = match EnvFilter::try_new(&level) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("log-level is {level}: {error}; allowed: error, warn, info, debug, trace");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match cli.command {
        Some(command) => command.run(&options),
        None => run(options).map(|()| true),
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

fn run(options: Options) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // The rest waits: hundreds of clients at once would have hundreds of threads, each with its stack.
        .max_blocking_threads(32)
        .build()
        .map_err(|error| ApiError::internal(format!("no threads can be started: {error}")))?;
    let service = Service::start(options)?;
    runtime.block_on(serve(service))
}

async fn serve(service: Service) -> Result<(), ApiError> {
    let address = service.options().address();
    let listener = listen(address)
        .map_err(|error| ApiError::internal(format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr().map_err(|error| ApiError::internal(error.to_string()))?;
    if let Ok(active) = service.active() {
        tracing::info!(model = %active.name, family = %active.family, device = %active.device, "ready");
    }
    service.begin().await?;
    // The one line on stdout, for who started it.
    println!("http://{address}");
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app(service.clone())).with_graceful_shutdown(async {
        // An error means that nobody tells any more, which is the end too.
        let _ended = stopped.await;
    });
    let mut serving = tokio::spawn(serving.into_future());
    tokio::select! {
        ended = &mut serving => return served(ended),
        () = signalled() => {}
    }
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

fn served(ended: Result<std::io::Result<()>, tokio::task::JoinError>) -> Result<(), ApiError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ApiError::internal(error.to_string())),
        Err(error) => Err(ApiError::internal(error.to_string())),
    }
}

/// Waits for Ctrl-C, or to be asked to end.
async fn signalled() {
    let interrupted = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!("Ctrl-C cannot be noticed: {error}");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::warn!("SIGTERM cannot be noticed: {error}");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
