//! What the program is told by signals: to end, and to read its options again.

use crate::manager::{self, State};
use sdcpp_server::{ApiError, Logs, Options, Service};

/// Waits for Ctrl-C, or to be asked to end.
pub(crate) async fn signalled() {
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

/// Reads the options again at each SIGHUP. Without a file there is nothing to read again, and a hang-up
/// ends the program as it ends others.
#[cfg(unix)]
pub(crate) async fn reload(service: Service, logs: Logs) {
    use tokio::signal::unix::{SignalKind, signal};
    if service.options().config.is_none() {
        return;
    }
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => hangups,
        Err(error) => return tracing::warn!("SIGHUP cannot be noticed: {error}"),
    };
    while hangups.recv().await.is_some() {
        manager::tell(State::Reloading);
        match reload_once(&service, &logs).await {
            Ok(()) => tracing::info!("the options were read again"),
            Err(error) => tracing::error!(
                code = %error.code,
                "the options stay as they were: {}{}",
                error.message,
                error.advice.map_or_else(String::new, |advice| format!("; {advice}"))
            ),
        }
        manager::tell(State::Ready);
    }
}

#[cfg(not(unix))]
pub(crate) async fn reload(_service: Service, _logs: Logs) {}

/// Nothing changes where anything is wrong.
#[cfg(unix)]
async fn reload_once(service: &Service, logs: &Logs) -> Result<(), ApiError> {
    let wrong = |why: String| ApiError::invalid("the configuration", why, "as --help says");
    let options = Options::load().map_err(wrong)?;
    logs.check(&options).map_err(wrong)?;
    let fixed = service.reload(options).await?;
    logs.set(&service.options()).map_err(wrong)?;
    for option in fixed {
        tracing::warn!("{option} stays as it is until the server is started again");
    }
    Ok(())
}
