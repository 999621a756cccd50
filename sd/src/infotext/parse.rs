//! Reading the text into prompt, negative prompt, and pairs of key and value.

use super::{Parameters, apply};
use crate::ImageRequest;
use serde::de::IgnoredAny;

const NEGATIVE: &str = "Negative prompt:";
/// What extensions write after the settings.
const AFTER_SETTINGS: [&str; 2] = ["Template:", "Negative Template:"];

pub(super) fn parse(text: &str) -> Parameters {
    let text = text.replace("\r\n", "\n");
    let (prompts, pairs) = split(&text);
    let (prompt, negative) = prompts_of(prompts);
    let mut request = ImageRequest::new(prompt);
    request.negative_prompt = negative.to_owned();
    let other = apply::apply(&mut request, pairs);
    Parameters { request, other }
}

/// The part with the prompts, and the settings with what follows them.
fn split(text: &str) -> (&str, Vec<(String, String)>) {
    let text = text.trim_end();
    let after = |line: &str| AFTER_SETTINGS.iter().any(|begin| line.starts_with(begin));
    let has_templates = AFTER_SETTINGS.iter().any(|begin| text.contains(begin));
    let mut end = text.len();
    let mut next = "";
    for line in text.rsplit('\n') {
        let start = end - line.len();
        if next.is_empty() || after(next) {
            let mut pairs = pairs(line);
            if are_settings(&pairs) {
                pairs.extend(follow_settings(text.get(end..).unwrap_or_default()));
                return (text.get(..start).unwrap_or_default(), pairs);
            }
        }
        // Without a template at the end, only the last line can be settings.
        if !has_templates {
            break;
        }
        if !line.trim().is_empty() {
            next = line.trim_start();
        }
        end = start.saturating_sub(1);
    }
    (text, Vec::new())
}

/// A1111 takes a line with three pairs for the settings. Prompts may have such lines too, but hardly
/// with these keys and values.
fn are_settings(pairs: &[(String, String)]) -> bool {
    let number = |text: &str| text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok();
    pairs.len() >= 3
        && pairs.iter().any(|(key, value)| match key.as_str() {
            "Steps" | "Seed" => number(value),
            "Size" => apply::size(value).is_some(),
            _ => false,
        })
}

fn follow_settings(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines().skip_while(|line| line.trim().is_empty()) {
        let begin = AFTER_SETTINGS.iter().find(|begin| line.starts_with(**begin));
        match (begin, found.last_mut()) {
            (None, Some((_, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            _ => {
                let (key, value) = line.split_once(':').unwrap_or(("", line));
                found.push((key.to_owned(), value.trim().to_owned()));
            }
        }
    }
    found
}

/// The negative prompt begins at the first line that says so, and may have many.
fn prompts_of(text: &str) -> (&str, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (before, from) = text.split_at(at);
        if let Some(negative) = from.trim_start_matches([' ', '\t']).strip_prefix(NEGATIVE) {
            return (before.trim(), negative.trim());
        }
        at += line.len();
    }
    (text.trim(), "")
}

/// `key: value, key: "quoted, value", …`. What has no colon belongs to the value before it.
fn pairs(line: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let comma = rest.find(',').unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(comma);
        let (key, tail) = match piece.find(':') {
            Some(colon) => {
                let (key, tail) = rest.split_at(colon);
                (key.trim(), tail.strip_prefix(':').unwrap_or(tail).trim_start())
            }
            None => {
                match found.last_mut() {
                    Some((_, value)) if !piece.trim().is_empty() => {
                        value.push_str(", ");
                        value.push_str(piece.trim());
                    }
                    None if !piece.trim().is_empty() => {
                        found.push((String::new(), piece.trim().to_owned()));
                    }
                    _ => {}
                }
                rest = tail.strip_prefix(',').unwrap_or(tail).trim_start();
                continue;
            }
        };
        let (value, tail) = value_of(tail);
        found.push((key.to_owned(), value));
        rest = tail.trim_start();
    }
    found
}

/// The value, and what follows its comma.
fn value_of(text: &str) -> (String, &str) {
    let json = match text.chars().next() {
        Some('"') => first::<String>(text),
        // As Civitai writes its resources.
        Some('[' | '{') => first::<IgnoredAny>(text)
            .map(|(_, end)| (text.get(..end).unwrap_or_default().to_owned(), end)),
        _ => None,
    };
    if let Some((value, end)) = json {
        let tail = text.get(end..).unwrap_or_default().trim_start();
        if tail.is_empty() {
            return (value, tail);
        }
        if let Some(tail) = tail.strip_prefix(',') {
            return (value, tail);
        }
    }
    match text.split_once(',') {
        Some((value, tail)) => (value.trim().to_owned(), tail),
        None => (text.trim().to_owned(), ""),
    }
}

/// The JSON value that the text begins with, and where it ends.
fn first<T: serde::de::DeserializeOwned>(text: &str) -> Option<(T, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}
