//! Pictures in the terminal.

use image::DynamicImage;
use std::env;

/// Columns of a picture.
const COLUMNS: u32 = 48;

/// Prints a picture over the `rows` above the cursor; says how many rows it has, and nothing where
/// the terminal cannot.
pub(crate) fn print(picture: &DynamicImage, rows: u32) -> Option<u32> {
    let up = i16::try_from(rows).unwrap_or(i16::MAX);
    let mut config = viuer::Config {
        absolute_offset: false,
        y: -up,
        width: Some(COLUMNS),
        ..viuer::Config::default()
    };
    let protocol = protocol(|name| env::var(name).ok());
    config.use_kitty = protocol == Protocol::Kitty;
    config.use_sixel = protocol == Protocol::Sixel;
    viuer::print(picture, &config).ok().map(|(_, rows)| rows)
}

/// How a terminal takes pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Sixel,
    /// iTerm2's, which is told by the environment alone, or half blocks.
    Other,
}

/// What the environment says of the terminal. Only one that is known to answer is asked: one that
/// does not would be waited for without end.
fn protocol(var: impl Fn(&str) -> Option<String>) -> Protocol {
    let has = |name: &str, words: &[&str]| {
        let value = var(name).unwrap_or_default().to_lowercase();
        words.iter().any(|word| value.contains(word))
    };
    let multiplexed = has("TERM", &["screen", "tmux"]);
    if multiplexed {
        Protocol::Other
    } else if has("TERM", &["kitty", "ghostty"]) || has("TERM_PROGRAM", &["ghostty"]) {
        Protocol::Kitty
    } else if has("TERM", &["foot", "mlterm", "contour", "sixel"]) {
        Protocol::Sixel
    } else {
        Protocol::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_terminals_that_answer_are_asked() {
        let of = |vars: &[(&str, &str)]| {
            protocol(|name| {
                vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Protocol::Kitty);
        assert_eq!(of(&[("TERM", "foot")]), Protocol::Sixel);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "ghostty")]), Protocol::Kitty);
        assert_eq!(of(&[("TERM", "tmux-256color"), ("TERM_PROGRAM", "ghostty")]), Protocol::Other);
        assert_eq!(of(&[("TERM", "xterm-256color")]), Protocol::Other);
        assert_eq!(of(&[]), Protocol::Other);
    }
}
