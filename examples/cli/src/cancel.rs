//! Ctrl-C: the first asks to stop, the second ends the program.

use crate::exit::Code;
use sdcpp::CancelToken;

/// Watches for Ctrl-C, and where there are such, for the signals that ask to terminate or hang up.
pub(crate) fn on_signal(token: CancelToken) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || {
        if token.is_cancelled() {
            // Without the destructors of the engine, whose threads still work.
            signal_hook::low_level::exit(i32::from(Code::Cancelled.number()));
        }
        token.cancel();
        eprintln!("\nstopping as soon as the engine can; once more to end at once");
    })
}
