//! The C library over `sdcpp`.
//!
//! For now it tells its version and what the engine was built for.

/// The Rust snippets of the README and of the pages in `docs/` compile.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $file:literal) => {
            #[doc = include_str!($file)]
            struct $name;
        };
    }

    page!(Readme, "../README.md");
    page!(ImageToImage, "../docs/image-to-image.md");
    #[cfg(feature = "isolated")]
    page!(Isolation, "../docs/isolation.md");
    page!(LargePictures, "../docs/large-pictures.md");
    page!(LoraAndEmbeddings, "../docs/lora-and-embeddings.md");
    page!(Memory, "../docs/memory.md");
    page!(Metadata, "../docs/metadata.md");
    page!(Models, "../docs/models.md");
    page!(Pool, "../docs/pool.md");
    page!(Progress, "../docs/progress.md");
    page!(Reliability, "../docs/reliability.md");
    page!(ReferencesAndControl, "../docs/references-and-control.md");
    page!(StepCaches, "../docs/step-caches.md");
    page!(TextToImage, "../docs/text-to-image.md");
    page!(Video, "../docs/video.md");
}

use once_cell::sync::OnceCell;
use sdcpp::Engine;
use std::{
    ffi::{CString, c_char},
    panic, ptr,
};

/// Version of this library, as `1.2.3`. A static string.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_version() -> *const c_char {
    const VERSION: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
        concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
    ) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// What the engine was built for and its upstream commit, in one line. A static string; NULL if the
/// engine cannot be used on this machine.
#[unsafe(no_mangle)]
pub extern "C" fn sdcpp_system_info() -> *const c_char {
    static TEXT: OnceCell<CString> = OnceCell::new();
    let text = panic::catch_unwind(|| {
        TEXT.get_or_try_init(|| -> Result<CString, Box<dyn std::error::Error>> {
            let engine = Engine::auto()?;
            let info = engine.system_info();
            let text = format!("stable-diffusion.cpp {} | {}", engine.commit(), info.trim());
            Ok(CString::new(text)?)
        })
        .map_or(ptr::null(), |text| text.as_ptr())
    });
    text.unwrap_or(ptr::null())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn tells_what_it_is() {
        // SAFETY: both return static strings, the second possibly NULL, which would fail here.
        let (version, info) =
            unsafe { (CStr::from_ptr(sdcpp_version()), CStr::from_ptr(sdcpp_system_info())) };
        assert_eq!(version.to_str(), Ok(env!("CARGO_PKG_VERSION")));
        assert!(info.to_string_lossy().starts_with("stable-diffusion.cpp 9838264 | "), "{info:?}");
        assert_eq!(sdcpp_system_info(), sdcpp_system_info());
    }
}
