//! Compiles the part that uses the C library, by its header.

fn main() {
    println!("cargo::rerun-if-changed=src/picture.c");
    println!("cargo::rerun-if-changed=../../include/sdcpp.h");
    cc::Build::new()
        .file("src/picture.c")
        .include("../../include")
        .warnings(true)
        .compile("picture");
    println!("cargo::rustc-link-lib=dl");
    // Libraries that are opened see whisper.cpp's ggml before anything of theirs, as in a program that
    // is linked to a shared one: without hidden symbols, calls in ours would end up there.
    println!("cargo::rustc-link-arg-bins=-rdynamic");
}
