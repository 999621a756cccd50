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
    // Of 600 nodes; the others are too small to be worth it.
    for name in ["engine", "avx2"] {
        let count =
            told.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok());
        assert!(count.is_some_and(|count| count > 300), "{told}");
    }
}
