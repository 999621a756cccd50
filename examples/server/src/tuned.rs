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

fn apply_file(
    engine: &Engine,
    path: PathBuf,
    config: ModelConfig,
    usual: &ImageRequest,
    at_once: usize,
) -> ModelConfig {
    match look_up(engine, path, &config, usual, at_once) {
        Ok((Tuned { config, found, .. }, told)) => {
            match found.entry() {
                Some(_) => tracing::info!("{told}"),
                None => tracing::warn!("no tuned settings: {told}"),
            }
            config
        }
        Err(why) => {
            tracing::warn!("no tuned settings: {why}");
            config
        }
    }
}

/// What the file has, and in words what of it is used. Threads that are set stay, and they are measured for
/// one picture at a time: several share the cores out as they do without.
fn look_up(
    engine: &Engine,
    path: PathBuf,
    config: &ModelConfig,
    usual: &ImageRequest,
    at_once: usize,
) -> sdcpp::Result<(Tuned, String)> {
    let but_for = match config.threads {
        Some(_) => Some("threads, which are set".to_owned()),
        None if at_once > 1 => Some(format!("threads, which {at_once} pictures at once share out")),
        None => None,
    };
    let file = TunedFile::open_or_new(path)?;
    let file = if but_for.is_some() { file.without_threads() } else { file };
    let tuned = file.apply(engine, config.clone(), (usual.width, usual.height))?;
    let told = match (tuned.found.entry(), but_for) {
        (Some(entry), Some(but_for)) => {
            format!("measured to be the fastest here, but for {but_for}: {}", entry.settings)
        }
        _ => tuned.found.to_string(),
    };
    Ok((tuned, told))
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
        // The log names what is used, and nothing else.
        let told = |config: ModelConfig, at_once| {
            look_up(&engine, path.clone(), &config, &usual, at_once).unwrap().1
        };
        let fastest = "measured to be the fastest here";
        let flash_alone = "diffusion_flash_attention on";
        assert_eq!(told(config(), 1), format!("{fastest}: threads 3, {flash_alone}"));
        let shared = "but for threads, which 2 pictures at once share out";
        assert_eq!(told(config(), 2), format!("{fastest}, {shared}: {flash_alone}"));
        let set = "but for threads, which are set";
        for at_once in [1, 2] {
            let told = told(config().threads(2), at_once);
            assert_eq!(told, format!("{fastest}, {set}: {flash_alone}"));
        }
        // What cannot be used is left out.
        write(1_000_000);
        assert_eq!(with(config(), 1), config());
        std::fs::write(&path, "no JSON").unwrap();
        assert_eq!(with(config(), 1), config());
    }
}
