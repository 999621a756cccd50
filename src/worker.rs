//! Which program is the worker of an isolated pool.

use crate::{engine::engine, error::Result, place};
use sdcpp::isolated::WorkerCommand;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The worker program: the caller's, or the one that was installed with this library.
pub(crate) fn command(program: Option<PathBuf>) -> Result<WorkerCommand> {
    let command = WorkerCommand::program(program.map_or_else(installed, Ok)?);
    // The worker computes on the same engine: on a library by its path, and on the linked engine if the
    // variable is empty.
    Ok(command.env("SDCPP_LIBRARY", engine()?.library().unwrap_or(Path::new(""))))
}

/// The program that was installed with this library.
fn installed() -> Result<PathBuf> {
    let name = format!("sdcpp-worker{}", env::consts::EXE_SUFFIX);
    let places = places(&name, place::library().as_deref(), env::current_exe().ok().as_deref());
    if let Some(found) = places.iter().find(|path| path.is_file()) {
        return Ok(found.clone());
    }
    let looked: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
    let reason = format!("there is none at {}; set worker_program", looked.join(", "));
    Err(sdcpp::Error::WorkerStart { program: name.into(), reason }.into())
}

/// Where to look, in this order.
fn places(name: &str, library: Option<&Path>, program: Option<&Path>) -> Vec<PathBuf> {
    let mut places = Vec::new();
    let real = library.and_then(|library| library.canonicalize().ok());
    // First as it was loaded, which may be by a link from another folder.
    for folder in [library, real.as_deref()].into_iter().flatten().filter_map(Path::parent) {
        places.push(folder.join(name));
        places.extend(folder.parent().map(|prefix| prefix.join("libexec").join(name)));
        places.extend(folder.parent().map(|prefix| prefix.join("bin").join(name)));
    }
    places.extend(program.map(|program| program.with_file_name(name)));
    let mut seen = Vec::new();
    places.retain(|place| {
        !seen.contains(place) && {
            seen.push(place.clone());
            true
        }
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_for_around_the_library_and_then_beside_the_program() {
        let found = places("w", Some(Path::new("/p/lib/libx.so")), Some(Path::new("/q/app")));
        assert_eq!(found, ["/p/lib/w", "/p/libexec/w", "/p/bin/w", "/q/w"].map(PathBuf::from));
        assert!(places("w", None, None).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real.so");
        std::fs::write(&real, "").unwrap();
        let link = folder.path().join("links");
        std::fs::create_dir(&link).unwrap();
        std::os::unix::fs::symlink(&real, link.join("libx.so.0")).unwrap();
        let found = places("w", Some(&link.join("libx.so.0")), None);
        assert_eq!(found[0], link.join("w"));
        assert!(found.contains(&real.with_file_name("w")), "{found:?}");
    }
}
