//! `--auto-download`: the model to start with, pulled before the server starts.

use super::{
    error::HubError,
    folder::Folder,
    pull::{Pull, Pulled, Wanted},
};
use crate::options::Options;
use sdcpp::KnownModel;
use std::env;

/// Whether the hub's own variable forbids the network.
pub(crate) fn is_offline() -> bool {
    let value = env::var("HF_HUB_OFFLINE").unwrap_or_default().trim().to_ascii_lowercase();
    ["1", "true", "yes", "on"].contains(&value.as_str())
}

/// The options with the file of the model to start with, which is pulled if it is not there; and why
/// that failed.
pub(crate) fn fetch_first(options: Options) -> (Options, Option<HubError>) {
    let asked = options.auto_download == Some(true) && !options.is_mock();
    let model = options.model.as_ref().and_then(|model| model.to_str()).map(str::to_owned);
    match model.filter(|_| asked) {
        Some(model) => {
            let mut options = options;
            let failed = fetch(&mut options, &model).err();
            (options, failed)
        }
        None => (options, None),
    }
}

fn fetch(options: &mut Options, model: &str) -> Result<(), HubError> {
    let in_folder = options.models.as_ref().map(|folder| folder.join(model));
    let is_there = |path: &std::path::Path| path.exists();
    if in_folder.as_deref().is_some_and(is_there) || is_there(model.as_ref()) {
        return Ok(());
    }
    let known = KnownModel::named(model)?;
    let wanted = match known {
        Some(known) => Wanted::of_known(known)?,
        None => match Wanted::in_one_word(model)? {
            Some(wanted) => vec![wanted],
            None => return Ok(()),
        },
    };
    let folder = options.models.clone().ok_or_else(|| {
        HubError::new("there is no folder to download models to")
            .advise("name it by --models or MODEL_CACHE_DIR")
    })?;
    let folder = Folder::create(folder)?;
    let main = known.and_then(|known| known.main_file()).map(|file| file.local_name());
    let main = main.or(wanted.first().map(|wanted| wanted.name.as_str())).unwrap_or_default();
    options.model = Some(folder.file(main)?);
    // The hub is asked only about what is not there: a server starts without it.
    let mut missing = Vec::new();
    for wanted in wanted {
        if !folder.file(&wanted.name)?.is_file() {
            missing.push(wanted);
        }
    }
    let pull = Pull { folder: &folder, force: false, offline: is_offline() };
    pull.run(&missing, |wanted, _: Pulled| {
        tracing::info!(file = %wanted.name, repository = %wanted.repo.id, "downloaded");
    })?;
    if let Some(known) = known {
        pull.write_preset(known)?;
    }
    Ok(())
}
