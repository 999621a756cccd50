//! Vulkan's headers: the engine needs newer ones than most systems have.

use crate::{backend::Backend, fail::Fail, fetch, folders::Folders, pin, vars};
use std::path::PathBuf;

/// The folder of the headers that the engine is compiled with, unless the user chose his own by
/// `VULKAN_SDK` or `-DVulkan_INCLUDE_DIR=…` in `SDCPP_CMAKE_ARGS`.
pub(crate) fn headers(backends: &[Backend], folders: &Folders) -> Result<Option<PathBuf>, Fail> {
    let chosen =
        !vars::cargo("VULKAN_SDK").is_empty() || vars::cmake_arg("Vulkan_INCLUDE_DIR")?.is_some();
    if chosen || !backends.contains(&Backend::Vulkan) {
        return Ok(None);
    }
    fetch::folder(&pin::vulkan_headers()?, folders).map(Some).map_err(|fail| {
        fail.advise("or set VULKAN_SDK to an installed Vulkan SDK of 2024 or newer")
    })
}
