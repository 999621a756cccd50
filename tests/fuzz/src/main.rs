//! libFuzzer on one target, named by `SDCPP_FUZZ_TARGET`; started by `scripts/fuzz.sh`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sdcpp_fuzz::{Target, targets};
use std::sync::OnceLock;

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("SDCPP_FUZZ_TARGET").unwrap_or_default();
        let found = targets().find(|target| target.name == name);
        found.unwrap_or_else(|| {
            let names: Vec<_> = targets().map(|target| target.name).collect();
            eprintln!("SDCPP_FUZZ_TARGET is {name:?}; allowed: {}", names.join(", "));
            std::process::exit(2)
        })
    })
}

fuzz_target!(|input: &[u8]| (chosen().run)(input));
