//! What systemd is told, where it started the program (`Type=notify`).

/// What the program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It answers.
    Ready,
    /// It reads its options again.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is no SIGHUP"))]
    Reloading,
    /// It takes nothing on, and ends what there is.
    Stopping,
}

#[cfg(target_os = "linux")]
pub(crate) fn tell(state: State) {
    use sd_notify::NotifyState;
    let state = match state {
        State::Ready => NotifyState::Ready,
        State::Reloading => NotifyState::Reloading,
        State::Stopping => NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn tell(_state: State) {}
