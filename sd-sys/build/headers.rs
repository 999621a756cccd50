//! The headers' fingerprint: tells a C API that differs from the pin's at build time.

use crate::{fail::Fail, pin::read_text, vars};
use sha2::{Digest, Sha256};
use std::path::Path;

/// SHA-256 of the headers with comments and white space removed, so that only what a compiler
/// sees counts.
pub(crate) fn fingerprint(include: &Path, ggml_include: &Path) -> Result<String, Fail> {
    let mut hash = Sha256::new();
    let shim = vars::manifest_dir().join("shim").join("sdcpp_shim.h");
    for path in [include.join("stable-diffusion.h"), ggml_include.join("ggml-backend.h"), shim] {
        hash.update(normalise(&read_text(&path)?));
        hash.update([0]);
    }
    Ok(hex(&hash.finalize()))
}

/// A short name for a set of inputs, for folder names.
pub(crate) fn short_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hex(&hash.finalize()).chars().take(12).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Drops comments, and all white space but one blank between words.
fn normalise(header: &str) -> String {
    let mut out = String::with_capacity(header.len());
    let mut rest = header;
    while let Some(c) = rest.chars().next() {
        if let Some(line_comment) = rest.strip_prefix("//") {
            rest = line_comment.find('\n').map_or("", |end| line_comment.split_at(end).1);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.find("*/").map_or("", |end| comment.split_at(end + 2).1);
        } else {
            if c.is_whitespace() {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            } else {
                out.push(c);
            }
            rest = rest.split_at(c.len_utf8()).1;
        }
    }
    out.trim().to_owned()
}
