//! Command lines of upstream's `sd-cli`, which has modes in place of subcommands.

use std::ffi::{OsStr, OsString};

/// Adds the subcommand to a command line that begins with an option, as upstream's do: by its
/// `--mode`, and for pictures by the pictures it starts from.
pub(crate) fn with_subcommand(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(first) = arguments.get(1) else { return arguments };
    let own = ["-h", "--help", "-V", "--version", "--json", "-q", "--quiet"];
    if !first.as_encoded_bytes().starts_with(b"-") || own.iter().any(|flag| first == flag) {
        return arguments;
    }
    let mode = take_mode(&mut arguments);
    let has = |names: &[&str]| {
        arguments.iter().any(|argument| {
            let text = argument.to_string_lossy();
            let name = text.split_once('=').map_or(&*text, |(name, _)| name);
            names.contains(&name)
        })
    };
    let command: OsString = match mode.as_deref().and_then(OsStr::to_str) {
        None | Some("img_gen" | "txt2img" | "img2img") => {
            if has(&["--mask"]) {
                "inpaint".into()
            } else if has(&["-i", "--init-img"]) {
                "img2img".into()
            } else if has(&["-r", "--ref-image"]) {
                "edit".into()
            } else {
                "txt2img".into()
            }
        }
        Some("vid_gen" | "img2vid") => "video".into(),
        // What is unknown is told by the parser, by its name.
        _ => mode.unwrap_or_default(),
    };
    arguments.insert(1, command);
    arguments
}

/// Takes `-M mode`, `--mode mode` and `--mode=mode` out.
fn take_mode(arguments: &mut Vec<OsString>) -> Option<OsString> {
    let mut mode = None;
    let mut kept = Vec::with_capacity(arguments.len());
    let mut rest = std::mem::take(arguments).into_iter();
    while let Some(argument) = rest.next() {
        if argument == "-M" || argument == "--mode" {
            mode = rest.next();
        } else if let Some(value) = argument.to_str().and_then(|a| a.strip_prefix("--mode=")) {
            mode = Some(value.into());
        } else {
            kept.push(argument);
        }
    }
    *arguments = kept;
    mode
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Words of a command line, as a shell would split it.
    pub(crate) fn words(line: &str) -> Vec<OsString> {
        let mut words = Vec::new();
        let (mut word, mut quoted) = (String::new(), false);
        for c in line.chars().chain([' ']) {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word).into());
                    }
                }
                c => word.push(c),
            }
        }
        words
    }

    fn rewritten(line: &str) -> String {
        let words: Vec<_> = with_subcommand(words(line))
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        words.join(" ")
    }

    #[test]
    fn modes_become_subcommands() {
        for (line, expected) in [
            ("sd -m m -p x", "sd txt2img -m m -p x"),
            ("sd -M img_gen -m m -i a.png", "sd img2img -m m -i a.png"),
            ("sd -m m -i a.png --mask=b.png", "sd inpaint -m m -i a.png --mask=b.png"),
            ("sd -m m -r a.png", "sd edit -m m -r a.png"),
            ("sd -M vid_gen -m m", "sd video -m m"),
            ("sd -m m --mode convert -o x", "sd convert -m m -o x"),
            ("sd --mode=upscale -i x", "sd upscale -i x"),
            ("sd -M metadata x", "sd metadata x"),
            ("sd --help", "sd --help"),
            ("sd img2img -m m", "sd img2img -m m"),
            ("sd", "sd"),
        ] {
            assert_eq!(rewritten(line), expected);
        }
    }
}
