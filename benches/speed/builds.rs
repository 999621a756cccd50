//! What the options of the engine's build bring: the engine as the crate builds it for this processor, against
//! one with another option, both by the C API, by turns.

use crate::{
    Outcome,
    cmake::{Engine, Project},
    direct::{Direct, Warm},
    models::{demo, demo_picture, sd15, sd15_picture},
    paired::by_turns,
};
use sdcpp::{ImageRequest, ModelConfig};
use std::{fs, path::PathBuf};

const PROJECT: Project =
    Project { source: "tests/native", folder: "builds", engine: Engine::Fixed };

/// As the crate's feature `native` has it.
const DEFAULT: (&str, &str) = ("SDCPP_NATIVE", "ON");

/// A name, and the options.
type Build = (&'static str, &'static [(&'static str, &'static str)]);

/// The threads of a graph by OpenMP.
const OPENMP: Build = ("OpenMP", &[DEFAULT, ("GGML_OPENMP", "ON")]);

/// They wait for each other as upstream's do: about a quarter of an hour before they sleep, and so never.
const SPINNING: Build =
    ("spinning threads", &[DEFAULT, ("CMAKE_C_FLAGS", "-DSDCPP_BARRIER_SPIN_US=1000000000")]);

const BUILDS: [Build; 7] = [
    ("without tinyBLAS", &[DEFAULT, ("GGML_LLAMAFILE", "OFF")]),
    ("without this project's kernels", &[DEFAULT, ("SDCPP_KERNELS", "OFF")]),
    OPENMP,
    SPINNING,
    ("OpenBLAS", &[DEFAULT, ("GGML_BLAS", "ON"), ("GGML_BLAS_VENDOR", "OpenBLAS")]),
    ("without repacking", &[DEFAULT, ("GGML_CPU_REPACK", "OFF")]),
    ("portable: x86-64-v3 (AVX2)", &[("SDCPP_NATIVE", "OFF")]),
];

pub(crate) fn measure() -> Outcome {
    let pictures: [(&str, usize, ModelConfig, ImageRequest); 2] = [
        ("demo, 128², 12 steps", 15, demo(), demo_picture()),
        ("SD1.5 layout f16, 256², 2 steps", 6, sd15()?, sd15_picture(256, 2)),
    ];
    let default = Direct::of(default_build()?)?;
    println!("Warm, against the build that is the default: more than 1 is slower than it.\n");
    println!("| build | picture | s | default, s | ratio (95 %) |");
    println!("|---|---|---|---|---|");
    let built = BUILDS.map(|(name, options)| (name, build(name, options).and_then(Direct::of)));
    let without = Direct::of(default_build()?)?.without_huge_pages();
    for (name, other) in built.into_iter().chain([("without huge pages", Ok(without))]) {
        let other = match other {
            Ok(other) => other,
            // This machine may not have it.
            Err(error) if name == "OpenBLAS" => {
                eprintln!("{name}: {error}");
                continue;
            }
            Err(error) => return Err(error),
        };
        for (picture, turns, config, request) in &pictures {
            let draw = |direct: &Direct| Ok(direct.draw(config, request, Warm::Small)?.picture);
            let paired = by_turns(*turns, || draw(&other), || draw(&default))?;
            let (theirs, ours) = paired.medians();
            println!("| {name} | {picture} | {theirs:.2} | {ours:.2} | {} |", paired.ratio());
        }
    }
    Ok(())
}

/// The other ways in which threads wait for each other.
pub(crate) fn other_threads() -> Outcome<Vec<(&'static str, PathBuf)>> {
    let built = [OPENMP, SPINNING].map(|(name, options)| Ok((name, build(name, options)?)));
    built.into_iter().collect()
}

/// The default, as another build is made.
pub(crate) fn default_build() -> Outcome<PathBuf> {
    build("default", &[DEFAULT])
}

/// The program `direct`, under a name of its own: the next build is made in the same folder.
fn build(name: &str, options: &[(&str, &str)]) -> Outcome<PathBuf> {
    let made = PROJECT.build("direct", options)?;
    let letters = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let own = made.with_file_name(format!("direct-{}", letters.collect::<String>()));
    fs::copy(&made, &own)?;
    Ok(own)
}
