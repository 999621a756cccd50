//! Counting how operations ended.

use sdcpp::Error;
use std::collections::BTreeMap;

/// How many ended in which way.
#[derive(Debug, Default)]
pub(crate) struct Kinds(BTreeMap<&'static str, usize>);

/// How nothing ends that is asked for badly or on a damaged model: by a crash, by a panic of ours, or
/// for what another operation did.
const NEVER: [&str; 7] = [
    "worker_crashed",
    "worker_start",
    "panicked",
    "callback_panicked",
    "poisoned",
    "circuit_open",
    "queue_full",
];

impl Kinds {
    /// Counts one, and gives its kind.
    pub(crate) fn add<T>(&mut self, came: &Result<T, Error>) -> &'static str {
        let kind = match came {
            Ok(_) => "drawn",
            Err(error) => error.kind(),
        };
        *self.0.entry(kind).or_default() += 1;
        kind
    }

    /// That each of so many was drawn or refused, and of both at least one.
    pub(crate) fn assert_all_are_answers(&self, count: usize, refusal: &str) {
        assert_eq!(self.total(), count);
        for kind in NEVER {
            assert_eq!(self.count(kind), 0, "{self}");
        }
        assert!(self.count("drawn") > 0 && self.count(refusal) > 0, "{self}");
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
        let all = self.0.iter().map(|(kind, count)| match *kind {
            "drawn" => format!("{count} drawn"),
            kind => format!("{count} `{kind}`"),
        });
        f.write_str(&all.collect::<Vec<_>>().join(", "))
    }
}
