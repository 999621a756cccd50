//! The kernels of `sd-sys/kernels` against ggml's reference code.
#![cfg(target_arch = "x86_64")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

// Without the rest of `common`, this program needs no engine of its own.
#[path = "common/native.rs"]
#[allow(dead_code, reason = "it has more than is used here")]
mod native;

#[test]
fn products_and_convolutions_are_those_of_the_reference() {
    let needed = [
        is_x86_feature_detected!("avx2"),
        is_x86_feature_detected!("fma"),
        is_x86_feature_detected!("f16c"),
    ];
    if needed.contains(&false) {
        eprintln!("skipped: this processor has no AVX2");
        return;
    }
    let program = native::program_for_avx2("kernels");
    let output = std::process::Command::new(program).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What is not counted is too small to be worth it, or suits ggml's own kernels.
    for (kind, least) in [("products", 150), ("convolutions", 150), ("by tiles", 30)] {
        let line = told.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(": "));
        let counts = line.map(|line| line.split(", ").filter_map(count).collect::<Vec<_>>());
        let Some([engine, unrounded, avx2]) = counts.as_deref() else { panic!("{told}") };
        assert!(*avx2 > least, "{kind} by the code compiled for AVX2: {told}");
        if usual_engine() {
            assert!(*engine > least, "{kind} by the engine: {told}");
            // About half of the nodes have 16-bit weights.
            assert!(*unrounded > least / 3, "{kind} that ggml would have rounded: {told}");
        }
    }
}

/// Other options and other sources may be without them.
fn usual_engine() -> bool {
    let variables = ["SDCPP_CMAKE_ARGS", "SDCPP_SOURCE_DIR", "SDCPP_LIB_DIR"];
    variables.iter().all(|variable| std::env::var_os(variable).is_none())
}

fn count(told: &str) -> Option<u32> {
    told.rsplit(' ').next()?.parse().ok()
}
