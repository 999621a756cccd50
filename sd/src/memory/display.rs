//! An estimate in one line, for people.

use super::estimate::MemoryEstimate;
use std::fmt;

impl fmt::Display for MemoryEstimate {
    /// As in `512 MB (weights 10 MB, text 1 MB, sampling 20 MB, decoding 480 MB)`, in megabytes of
    /// 10⁶ bytes; what is nothing is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("weights", self.allocated()),
            ("mapped weights besides", self.mapped()),
            ("text", self.text_encoding),
            ("encoding", self.vae_encode),
            ("sampling", self.sampling.saturating_add(self.control_net)),
            ("decoding", self.vae_decode),
        ];
        let parts = parts.iter().filter(|(_, bytes)| *bytes > 0);
        let parts: Vec<_> =
            parts.map(|(name, bytes)| format!("{name} {}", megabytes(*bytes))).collect();
        let rough = if self.is_rough { "roughly " } else { "" };
        write!(f, "{rough}{} ({})", megabytes(self.peak()), parts.join(", "))
    }
}

fn megabytes(bytes: u64) -> String {
    match bytes as f64 / 1e6 {
        few if few < 10.0 => format!("{few:.1} MB"),
        many => format!("{many:.0} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Component, PartMemory};

    #[test]
    fn says_what_counts() {
        let part = PartMemory { component: Component::Vae, allocated: 12_300_000, mapped: 0 };
        let mut estimate = MemoryEstimate {
            architecture: Architecture::Sd1,
            weights: vec![part],
            text_encoding: 1_240_000,
            vae_encode: 0,
            sampling: 20_000_000,
            control_net: 5_000_000,
            vae_decode: 100_000_000,
            pixels: 2_000_000,
            overhead: 1_000_000,
            is_rough: false,
        };
        let text = "115 MB (weights 12 MB, text 1.2 MB, sampling 25 MB, decoding 100 MB)";
        assert_eq!(estimate.to_string(), text);
        estimate.is_rough = true;
        assert!(estimate.to_string().starts_with("roughly 115 MB"));
    }
}
