//! Settings that `sdcpp tune` measured.

use crate::file::FileState;
use sdcpp::{
    Engine, ImageRequest, ModelConfig,
    tune::{self, Tuned, TunedFile},
};
use std::path::PathBuf;

/// The configuration with what was measured for pictures of the usual size, by the file that SDCPP_TUNED
/// or the user's folder says; and that file as it was before, so that a later one is noticed.
///
/// Where there is none, or none that can be used, the configuration stays and the log says why: nobody has
/// named the file to this program, and clients have no business with it.
pub(crate) fn apply(
    engine: &Engine,
    config: ModelConfig,
    usual: &ImageRequest,
    at_once: usize,
) -> (ModelConfig, Option<FileState>) {
    match tune::default_path() {
        Ok(path) => {
            let state = FileState::now(&path);
            (apply_file(engine, path, config, usual, at_once), Some(state))
        }
        Err(why) => {
            tracing::warn!("no tuned settings: {why}");
            (config, None)
        }
    }
}

/// Threads are measured for one picture at a time: several share the cores out as they do without.
fn apply_file(
    engine: &Engine,
    path: PathBuf,
    config: ModelConfig,
    usual: &ImageRequest,
    at_once: usize,
) -> ModelConfig {
    let shares = at_once > 1 && config.threads.is_none();
    let found = TunedFile::open_or_new(path).and_then(|file| {
        let file = if shares { file.without_threads() } else { file };
        file.apply(engine, config.clone(), (usual.width, usual.height))
    });
    match found {
        Ok(Tuned { config, found, .. }) => {
            match found.entry() {
                Some(entry) if shares => tracing::info!(
                    "measured to be the fastest here, but for threads, which {at_once} pictures at \
                     once share out: {}",
                    entry.settings
                ),
                Some(_) => tracing::info!("{found}"),
                None => tracing::warn!("no tuned settings: {found}; `sdcpp tune` measures"),
            }
            config
        }
        Err(why) => {
            tracing::warn!("no tuned settings: {why}");
            config
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sdcpp::mock;

    #[test]
    fn measured_settings_are_used_and_threads_only_for_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tuned.json");
        let (engine, usual) = (mock::engine(), ImageRequest::new("").size(64, 64));
        let config = || ModelConfig::new("mock");
        let with = |config, at_once| apply_file(&engine, path.clone(), config, &usual, at_once);
        assert_eq!(with(config(), 1), config(), "there is no file");
        let subject = tune::Subject::of(&engine, &config(), (64, 64)).unwrap();
        let write = |threads: u32| {
            let text = serde_json::json!({ "version": 1, "entries": [{
                "subject": subject,
                "settings": { "threads": threads, "diffusion_flash_attention": true },
                "default_micros": 1,
            }]});
            std::fs::write(&path, text.to_string()).unwrap();
        };
        write(3);
        let flash = || config().diffusion_flash_attention(true);
        assert_eq!(with(config(), 1), flash().threads(3));
        assert_eq!(with(config(), 2), flash());
        assert_eq!(with(config().threads(2), 1), flash().threads(2));
        assert_eq!(with(config().threads(2), 2), flash().threads(2));
        // What cannot be used is left out.
        write(1_000_000);
        assert_eq!(with(config(), 1), config());
        std::fs::write(&path, "no JSON").unwrap();
        assert_eq!(with(config(), 1), config());
    }
}
