//! What a command tells when it is done: lines for people, or one JSON object.

use crate::app::App;
use sdcpp::{Timings, Warning};
use serde_json::{Map, Value, json};
use std::{
    io::{self, Write},
    time::Duration,
};

/// The result of a command.
#[derive(Debug, Default)]
pub(crate) struct Report {
    fields: Map<String, Value>,
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    pub(crate) fn new(command: &str) -> Self {
        let mut report = Self::default();
        report.set("ok", true);
        report.set("command", command);
        report
    }

    /// A field of the JSON object.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// A line on standard output.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    /// A line on standard error.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// What is worth knowing about what was made.
    pub(crate) fn warnings(&mut self, warnings: &[Warning]) {
        let texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
        self.notes.extend(texts.iter().map(|text| format!("warning: {text}")));
        self.set("warnings", json!(texts));
    }

    /// How long each phase took, after `opened` for opening the model.
    pub(crate) fn timings(&mut self, opened: Duration, timings: Timings) {
        let total = opened + timings.total;
        let phases = [
            ("open", opened),
            ("load", timings.load),
            ("text_encoding", timings.text_encoding),
            ("image_encoding", timings.image_encoding),
            ("sampling", timings.sampling),
            ("decoding", timings.decoding),
            ("upscaling", timings.upscaling),
            ("total", total),
        ];
        let fields: Map<_, _> =
            phases.iter().map(|(name, time)| ((*name).to_owned(), seconds(*time))).collect();
        self.set("timings", fields);
        let words: Vec<_> = phases
            .iter()
            .filter(|(_, time)| !time.is_zero())
            .map(|(name, time)| format!("{} {:.2} s", name.replace('_', " "), time.as_secs_f64()))
            .collect();
        self.note(words.join(", "));
    }

    /// Tells the lines before an error is told, of what took long and is not to be lost. With `--json` they
    /// are on standard error: the one object is that of the error.
    pub(crate) fn print_lines(&self, app: &App) {
        app.bar.finish();
        for line in &self.lines {
            if app.json {
                app.note(line);
            } else {
                // Nobody reads on: a closed pipe is no error.
                let _ = writeln!(io::stdout(), "{line}");
            }
        }
    }

    /// Tells it.
    pub(crate) fn print(self, app: &App) {
        if app.json {
            app.bar.finish();
            return print_json(&Value::Object(self.fields));
        }
        self.print_lines(app);
        for note in &self.notes {
            app.note(note);
        }
    }
}

/// Seconds with three digits.
pub(crate) fn seconds(time: Duration) -> Value {
    ((time.as_secs_f64() * 1000.0).round() / 1000.0).into()
}

/// One JSON object, on a line of its own.
pub(crate) fn print_json(value: &Value) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds_and_zeros_left_out() {
        let mut report = Report::new("x");
        report.timings(Duration::from_micros(12_345), Timings::default());
        assert_eq!(report.fields["timings"]["open"], 0.012);
        assert_eq!(report.notes, ["open 0.01 s, total 0.01 s"]);
    }
}
