//! The header is what the sources say, every compiler takes it, and the library has what is in it.

use crate::library::{built, compiler, root, run};
use sdcpp_capi::*;
use std::{
    collections::BTreeSet,
    fs,
    mem::{offset_of, size_of},
    process::Command,
};

fn header() -> String {
    fs::read_to_string(root().join("include/sdcpp.h")).unwrap()
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = fs::read_to_string(concat!(env!("OUT_DIR"), "/sdcpp.h")).unwrap();
    assert!(header() == generated, "include/sdcpp.h is old; run: scripts/check-header.sh --update");
    assert!(generated.is_ascii(), "some compilers warn of other characters");
}

#[test]
fn c_and_cpp_compilers_take_it_and_agree_on_the_layout() {
    let mut source = "#include \"sdcpp.h\"\n#include <stddef.h>\n#ifdef __cplusplus\n\
        #define CHECK(x) static_assert(x, #x)\n#elif __STDC_VERSION__ >= 201112L\n\
        #define CHECK(x) _Static_assert(x, #x)\n#else\n#define CHECK(x) extern int unused\n#endif\n"
        .to_owned();
    macro_rules! check {
        ($($struct:ident . $last:ident),*) => {$(
            let (name, last) = (stringify!($struct), stringify!($last));
            let (size, offset) = (size_of::<$struct>(), offset_of!($struct, $last));
            source += &format!("CHECK(sizeof({name}) == {size});\n");
            source += &format!("CHECK(offsetof({name}, {last}) == {offset});\n");
        )*};
    }
    check!(
        sdcpp_error.code,
        sdcpp_pixels.channels,
        sdcpp_progress.images,
        sdcpp_preview.noisy,
        sdcpp_watch.preview_noisy,
        sdcpp_model_config.trust_pickle,
        sdcpp_image.channels,
        sdcpp_image_request.vae_tiling_fallback,
        sdcpp_video_request.vae_tiling_fallback,
        sdcpp_audio.channels,
        sdcpp_pool_options.isolated,
        sdcpp_pool_metrics.breaker,
        sdcpp_upscaler_config.trust_pickle,
        sdcpp_convert_options.trust_pickle
    );
    source += "int main(void) { return SDCPP_OK; }\n";
    let structs = header().lines().filter(|l| l.starts_with("} sdcpp_")).count();
    assert_eq!(structs, source.matches("sizeof").count(), "each struct is checked");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("layout.c");
    fs::write(&file, source).unwrap();
    for (cpp, language, standard) in
        [(false, "c", "c99"), (false, "c", "c11"), (true, "c++", "c++17")]
    {
        let mut command = compiler(cpp, standard);
        run(command.args(["-fsyntax-only", "-x", language]).arg(&file));
    }
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = header();
    let after = header.split("SDCPP_API").skip(1).filter_map(|rest| rest.split_once('('));
    let name = |(before, _): (&str, &str)| {
        before.rsplit([' ', '*', '\n']).next().unwrap_or_default().to_owned()
    };
    after.map(name).filter(|name| name.starts_with("sdcpp_")).collect()
}

#[test]
fn the_documentation_has_every_code() {
    let (header, page) = (header(), fs::read_to_string(root().join("docs/c-api.md")).unwrap());
    let (codes, _) = header.split_once("SDCPP_ABI_MAJOR").unwrap();
    let codes = codes.lines().filter_map(|line| line.strip_prefix("#define SDCPP_"));
    let mut count = 0;
    for (name, number) in codes.filter_map(|line| line.split_once(' ')) {
        let Ok(number) = number.parse::<u32>() else { continue };
        count += 1;
        let row = format!("| {number} | `{}` |", name.to_lowercase());
        assert!(page.contains(&row), "{row}");
    }
    assert!(count >= 39, "{count}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_exports_what_is_declared_and_nothing_else() {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(built()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<_> =
        text.lines().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect();
    assert!(exported.len() > 50, "{text}");
    assert_eq!(exported, declared());
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_has_a_soname_of_its_major_version() {
    let output = Command::new("readelf").arg("-d").arg(built()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("[libsdcpp_capi.so.{SDCPP_ABI_MAJOR}]")), "{text}");
    assert!(text.contains("NODELETE"), "{text}");
    assert_eq!(sdcpp_abi_version(), SDCPP_ABI_MAJOR << 16 | SDCPP_ABI_MINOR);
}
