//! What the program is told by signals: to end, and to read its options again.

#[cfg(unix)]
use crate::manager::{self, State};
#[cfg(unix)]
use clap::Parser as _;
#[cfg(unix)]
use sdcpp_server::{ApiError, Cli};
use sdcpp_server::{Logs, Options, Service};

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

/// The signals to read the options again, from now on.
pub(crate) struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangups {
    /// Without a file there is nothing to read again, and a hang-up ends the program as it ends others.
    #[cfg(unix)]
    pub(crate) fn of(options: &Options) -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let hangups = options.config.as_ref().map(|_| signal(SignalKind::hangup())).transpose();
        Self(hangups.unwrap_or_else(|error| {
            tracing::warn!("SIGHUP cannot be noticed: {error}");
            None
        }))
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_options: &Options) -> Self {
        Self()
    }

    /// Reads the options again at each.
    #[cfg(unix)]
    pub(crate) async fn heed(self, service: Service, logs: Logs) {
        let Some(mut hangups) = self.0 else { return };
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
    pub(crate) async fn heed(self, _service: Service, _logs: Logs) {}
}

/// Nothing changes where anything is wrong. Arguments and variables are those that were read at the start.
#[cfg(unix)]
async fn reload_once(service: &Service, logs: &Logs) -> Result<(), ApiError> {
    let wrong = |why: String| ApiError::invalid("the configuration", why, "as --help says");
    let options = Cli::parse().options.with_file().map_err(wrong)?;
    logs.check(&options).map_err(wrong)?;
    let fixed = service.reload(options).await?;
    logs.set(&service.options()).map_err(wrong)?;
    for option in fixed {
        tracing::warn!("{option} stays as it is until the server is started again");
    }
    Ok(())
}
