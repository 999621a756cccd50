//! Build script of `sdcpp-sys`, to be read as a list of decisions; each has a module of its own.

mod backend;
mod bindings;
mod engine;
mod fail;
mod fixes;
mod folders;
mod headers;
mod link;
mod pin;
mod shim;
mod source;
mod vars;

use fail::Fail;

fn main() {
    if let Err(fail) = build() {
        fail.report_and_exit();
    }
}

fn build() -> Result<(), Fail> {
    vars::rerun_rules();
    if vars::is_docs_rs() {
        // The committed bindings are enough for documentation; nothing is linked.
        return bindings::use_committed();
    }
    let backends = backend::chosen()?;
    let pin = pin::read()?;
    let folders = folders::Folders::locate()?;
    let _lock = folders.lock()?;

    let source = source::find(&pin, &folders)?;
    bindings::provide(&pin, &source)?;
    let engine = match vars::lib_dir()? {
        Some(dir) => engine::prebuilt(&dir)?,
        None => engine::build(&pin, &source, &backends, &folders)?,
    };
    shim::build(&source)?;
    link::emit(&engine, &backends);
    link::tell_dependents(&engine, &source, &backends);
    Ok(())
}
