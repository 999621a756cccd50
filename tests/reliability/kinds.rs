//! Counting how operations ended.

use sdcpp::Error;
use std::collections::BTreeMap;

/// How many ended in which way.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeMap<&'static str, usize>);

impl Kinds {
    pub(crate) fn add<T>(&mut self, came: &Result<T, Error>) {
        let kind = match came {
            Ok(_) => "done",
            Err(error) => error.kind(),
        };
        *self.0.entry(kind).or_default() += 1;
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or_default()
    }

    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<_> = self.0.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        f.write_str(&all.join(", "))
    }
}
