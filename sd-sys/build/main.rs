//! Build script of `sdcpp-sys`, to be read as a list of decisions; each has a module of its own.

mod backend;
mod bindings;
mod engine;
mod fail;
mod fetch;
mod fixes;
mod folders;
mod headers;
mod link;
mod pin;
mod shim;
mod source;
mod stamp;
mod toolkit;
mod vars;
mod vulkan;

use fail::Fail;

fn main() {
    if let Err(fail) = build() {
        fail.report_and_exit();
    }
}

fn build() -> Result<(), Fail> {
    vars::rerun_rules();
    let pin = pin::read()?;
    let linked = vars::feature("static");
    let library = vars::library_dir()?.is_some();
    if vars::is_docs_rs() || !(linked || library || vars::feature("bindgen")) {
        // The committed bindings are enough for documentation, and for engines that are opened at run
        // time; nothing is built or linked.
        return bindings::use_committed(&pin);
    }
    let backends = backend::chosen()?;
    let folders = folders::Folders::locate()?;
    let (source, vulkan_headers) = {
        let _lock = folders.lock_sources()?;
        (source::find(&pin, &folders)?, vulkan::headers(&backends, &folders)?)
    };
    bindings::provide(&pin, &source)?;
    if !(linked || library) {
        return Ok(());
    }
    let engine = match vars::lib_dir()? {
        Some(dir) => engine::prebuilt(&dir)?,
        None => engine::build(&pin, &source, &backends, vulkan_headers, &folders)?,
    };
    if linked {
        shim::build(&source)?;
        link::emit(&engine, &backends, &engine::needed_features()?);
        link::tell_dependents(&engine, &source, &backends);
    }
    Ok(())
}
