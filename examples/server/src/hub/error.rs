//! What went wrong with a hub, and whether it may go well later.

use crate::error::ApiError;
use axum::http::StatusCode;
use std::{fmt, time::Duration};

/// Whether the same may work a little later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It will not.
    Never,
    /// It may, after a while that grows.
    Soon,
    /// It may, after this time at the earliest.
    After(Duration),
}

/// Why something was not pulled, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubError {
    pub(crate) message: String,
    /// What to try.
    pub(crate) advice: Option<String>,
    pub(crate) again: Again,
}

impl HubError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, again: Again::Never }
    }

    /// A value that is not allowed.
    pub(crate) fn invalid(what: &str, value: &str, allowed: &str) -> Self {
        Self::new(format!("{what} is {value:?}; allowed: {allowed}"))
    }

    pub(crate) fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::new(format!("{doing}: {error}"))
    }

    pub(crate) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    pub(crate) fn again(self, again: Again) -> Self {
        Self { again, ..self }
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<sdcpp::Error> for HubError {
    fn from(error: sdcpp::Error) -> Self {
        let advice = error.advice().map(str::to_owned);
        Self { message: error.to_string(), advice, again: Again::Never }
    }
}

impl From<HubError> for ApiError {
    fn from(error: HubError) -> Self {
        let api =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "download_failed", error.message.clone());
        match error.advice {
            Some(advice) => api.advise(advice),
            None => api,
        }
    }
}

/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest that a hub may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Tries in a row that bring nothing.
const TRIES: u32 = 6;

/// Waits between tries, longer each time, until one brings something.
#[derive(Debug, Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    /// Something came.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// How long to wait before the next try.
    ///
    /// # Errors
    /// The error itself, if there is no use in another try, or there were enough.
    pub(crate) fn next(&mut self, error: HubError) -> Result<Duration, HubError> {
        self.0 += 1;
        let own = FIRST_WAIT * 2_u32.saturating_pow(self.0 - 1);
        match error.again {
            Again::Never => Err(error),
            _ if self.0 >= TRIES => {
                let message = format!("{}; given up after {TRIES} tries", error.message);
                Err(HubError { message, again: Again::Never, ..error })
            }
            Again::Soon => Ok(own),
            Again::After(told) => Ok(told.max(own).min(LONGEST_WAIT)),
        }
    }

    /// Does `work` until it succeeds or there is no use in it, and says on stderr why it waits.
    pub(crate) fn until<T>(
        &mut self,
        mut work: impl FnMut() -> Result<T, HubError>,
    ) -> Result<T, HubError> {
        loop {
            match work() {
                Ok(done) => return Ok(done),
                Err(error) => self.wait(error)?,
            }
        }
    }

    /// Waits as long as [`next`](Self::next) says.
    pub(crate) fn wait(&mut self, error: HubError) -> Result<(), HubError> {
        let message = error.message.clone();
        let pause = self.next(error)?;
        eprintln!("{message}; trying again in {:.1} s", pause.as_secs_f64());
        std::thread::sleep(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let error = || HubError::new("lost").again(Again::Soon);
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..5).map(|_| backoff.next(error()).unwrap().as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000]);
        let end = backoff.next(error()).unwrap_err();
        assert_eq!(
            (end.message.as_str(), end.again),
            ("lost; given up after 6 tries", Again::Never)
        );
        backoff.reset();
        assert_eq!(backoff.next(error()).unwrap(), FIRST_WAIT);
    }

    #[test]
    fn a_hub_says_how_long_within_limits_and_some_errors_stay() {
        let after = |secs| HubError::new("busy").again(Again::After(Duration::from_secs(secs)));
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(after(7)).unwrap(), Duration::from_secs(7));
        assert_eq!(backoff.next(after(0)).unwrap(), Duration::from_secs(1));
        assert_eq!(backoff.next(after(1 << 40)).unwrap(), LONGEST_WAIT);
        assert_eq!(backoff.next(HubError::new("no")).unwrap_err().message, "no");
    }
}
