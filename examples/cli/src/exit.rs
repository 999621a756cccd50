//! Exit codes, and how errors are told.

use crate::{app::App, report::print_json};
use sdcpp::{Error, Stage};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// How the program ends. The table for users is in [`HELP`] and in docs/cli.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The engine failed, or a file could not be written.
    Other,
    /// The command line, a value or an input picture cannot be used.
    Usage,
    /// A model file is missing, damaged, or refused by the engine.
    Model,
    /// Memory ran out.
    Memory,
    /// The time limit passed.
    Timeout,
    /// Ctrl-C.
    Cancelled,
}

/// The table of exit codes, for `--help`.
pub(crate) const HELP: &str = "Exit codes:
  0    done
  1    the engine failed, or a file could not be written
  2    the command line, a value or an input picture cannot be used
  3    a model file is missing, damaged, or refused by the engine
  4    out of memory
  5    the time limit passed
  130  stopped by Ctrl-C";

impl Code {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::Model => 3,
            Self::Memory => 4,
            Self::Timeout => 5,
            Self::Cancelled => 130,
        }
    }
}

/// Roles of files that are no models.
const INPUTS: [&str; 7] =
    ["picture", "preset", "request", "control_video", "pm_id_images_dir", "output", "tuned"];

/// The code of an error.
pub(crate) fn classify(error: &Error) -> Code {
    match error {
        Error::FileNotFound { role, .. } | Error::FileUnreadable { role, .. }
            if INPUTS.contains(&&**role) =>
        {
            Code::Usage
        }
        Error::InvalidParameter { .. } | Error::Unsupported { .. } | Error::ImageCodec { .. } => {
            Code::Usage
        }
        Error::FileNotFound { .. }
        | Error::FileUnreadable { .. }
        | Error::NotAModel { .. }
        | Error::MissingParts { .. }
        | Error::DoesNotFit { .. }
        | Error::ModelLoad { .. } => Code::Model,
        Error::OutOfMemory { .. } | Error::InsufficientMemory { .. } => Code::Memory,
        Error::Cancelled { .. } => Code::Cancelled,
        Error::DeadlineExceeded { .. } => Code::Timeout,
        _ => Code::Other,
    }
}

/// An error as JSON.
pub(crate) fn to_json(error: &Error) -> Value {
    let (code, kind) = (classify(error), error.kind());
    let mut fields = Map::new();
    fields.insert("kind".into(), kind.into());
    fields.insert("message".into(), error.to_string().into());
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    match error {
        Error::InvalidParameter { field, value, allowed } => {
            set("field", field.as_ref().into());
            set("value", value.as_str().into());
            set("allowed", allowed.as_str().into());
        }
        Error::FileNotFound { role, path }
        | Error::FileUnreadable { role, path, .. }
        | Error::NotAModel { role, path, .. } => {
            set("field", role.as_ref().into());
            set("path", path.display().to_string().into());
        }
        Error::ModelLoad { path, .. } => {
            set("path", path.display().to_string().into());
        }
        Error::OutOfMemory { stage, device, requested, .. } => {
            set("stage", stage_name(*stage));
            set("device", device.as_deref().into());
            set("requested_bytes", (*requested).into());
        }
        Error::EngineAssertion { stage, .. }
        | Error::Engine { stage, .. }
        | Error::Cancelled { stage } => {
            set("stage", stage_name(*stage));
        }
        Error::DeadlineExceeded { stage, limit } => {
            set("stage", stage_name(*stage));
            set("limit_seconds", limit.as_secs_f64().into());
        }
        _ => {}
    }
    if let Some(advice) = error.advice() {
        fields.insert("advice".into(), advice.into());
    }
    if let Some(report) = error.engine_report() {
        fields.insert("engine".into(), json!(report.lines));
    }
    json!({ "ok": false, "exit_code": code.number(), "error": fields })
}

fn stage_name(stage: Stage) -> Value {
    stage.to_string().into()
}

/// Lines of the engine shown with an error.
const MAX_LINES: usize = 5;

/// Tells an error, and how to end.
pub(crate) fn failure(error: &Error, app: &App) -> ExitCode {
    app.bar.finish();
    if app.json {
        print_json(&to_json(error));
    } else {
        eprintln!("error: {error}");
        let lines = error.engine_lines();
        for line in lines.iter().take(MAX_LINES) {
            eprintln!("  engine: {line}");
        }
        if lines.len() > MAX_LINES && !app.verbose {
            eprintln!("  … and {} more lines (all with --verbose)", lines.len() - MAX_LINES);
        }
        if let Some(advice) = error.advice() {
            eprintln!("  try: {advice}");
        }
    }
    ExitCode::from(classify(error).number())
}

/// Tells what is wrong with the command line; help and version are no errors.
pub(crate) fn usage(error: &clap::Error, as_json: bool) -> ExitCode {
    if as_json && error.use_stderr() {
        let field =
            error.get(clap::error::ContextKind::InvalidArg).map(|argument| argument.to_string());
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        print_json(&json!({
            "ok": false,
            "exit_code": Code::Usage.number(),
            "error": { "kind": "usage", "field": field, "message": message, "details": text },
        }));
    } else {
        // A closed pipe is no reason for another error.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Code::Usage.number() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_class_has_its_code() {
        let report = Box::default;
        let stage = Stage::Sampling;
        let not_found =
            |role: &'static str| Error::FileNotFound { role: role.into(), path: "x".into() };
        for (error, code) in [
            (crate::values::invalid("steps", 0, "1"), 2),
            (not_found("picture"), 2),
            (not_found("model"), 3),
            (Error::ModelLoad { path: "m".into(), report: report() }, 3),
            (Error::OutOfMemory { stage, device: None, requested: Some(1), report: report() }, 4),
            (Error::DeadlineExceeded { stage, limit: Duration::from_secs(1) }, 5),
            (Error::Cancelled { stage }, 130),
            (Error::Sampling { report: report() }, 1),
        ] {
            assert_eq!(classify(&error).number(), code, "{error}");
            assert_eq!(to_json(&error)["exit_code"], code);
            assert!(HELP.contains(&format!("\n  {code} ")), "{code}");
        }
    }

    #[test]
    fn json_has_field_and_what_is_allowed() {
        let value = to_json(&crate::values::invalid("steps", 0, "1 to 1000"));
        assert_eq!(value["error"]["kind"], "invalid_parameter");
        assert_eq!(value["error"]["field"], "steps");
        assert_eq!(value["error"]["allowed"], "1 to 1000");
    }
}
