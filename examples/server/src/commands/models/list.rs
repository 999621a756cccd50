//! `models list`.

use crate::{
    hub::{Folder, HubError, Record, bytes},
    model::{Catalogue, ModelEntry},
    options::Options,
};
use clap::Args;
use sdcpp::{KnownModel, ModelConfig, ModelFile, Preset};
use serde::Serialize;

/// What is in the folder, or what can be pulled by name.
#[derive(Debug, Args)]
pub struct List {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The models that can be pulled by a short name, in place of those in the folder
    #[arg(long)]
    presets: bool,
}

/// A file of the folder.
#[derive(Debug, Serialize)]
struct Listed {
    #[serde(flatten)]
    model: ModelEntry,
    /// Its name with the ending.
    file: String,
    /// What was pulled, if it was.
    record: Option<Record>,
    /// Parts that it needs and does not have, or why that is not known.
    missing: Vec<String>,
}

/// A file that is not whole.
#[derive(Debug, Serialize)]
struct Unfinished {
    file: String,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Known<'a> {
    name: &'a str,
    title: &'a str,
    architecture: &'static str,
    settings: &'a Preset,
    files: Vec<String>,
}

impl List {
    pub(crate) fn is_of_presets(&self) -> bool {
        self.presets
    }

    /// Tells the models of the folder.
    pub(crate) fn folder(&self, folder: &Folder) -> Result<bool, HubError> {
        let options = Options { models: Some(folder.path().into()), ..Options::default() };
        let catalogue = Catalogue::new(&options).and_then(|catalogue| catalogue.list());
        let models = catalogue.map_err(|error| HubError::new(error.message))?;
        let listed: Result<Vec<_>, _> =
            models.into_iter().map(|model| listed(folder, model)).collect();
        let listed = listed?;
        let unfinished: Vec<_> = folder
            .unfinished()?
            .into_iter()
            .map(|file| Unfinished { bytes: folder.part_length(&file).unwrap_or(0), file })
            .collect();
        if self.json {
            print_json(&serde_json::json!({ "models": listed, "unfinished": unfinished }))?;
            return Ok(true);
        }
        for model in &listed {
            let family = model.model.family.as_deref().unwrap_or("unreadable");
            let hash =
                model.record.as_ref().and_then(|record| record.sha256.get(..12)).unwrap_or("-");
            let lacks = match model.missing.as_slice() {
                [] => String::new(),
                missing => format!("  lacks {}", missing.join(", ")),
            };
            let size = bytes(model.model.bytes);
            println!("{:<44} {family:<28} {size:>9}  {hash:<12}{lacks}", model.file);
        }
        for part in &unfinished {
            println!("{:<44} not whole: {} are there", part.file, bytes(part.bytes));
        }
        Ok(true)
    }

    /// Tells the models that are known by name.
    pub(crate) fn presets(&self) -> Result<bool, HubError> {
        let all = KnownModel::all()?.iter().map(|known| Known {
            name: &known.name,
            title: &known.title,
            architecture: known.architecture.label(),
            settings: &known.preset,
            files: known
                .files
                .values()
                .map(|file| format!("{}/{}", file.repo, file.path))
                .collect(),
        });
        if self.json {
            print_json(&all.collect::<Vec<_>>())?;
            return Ok(true);
        }
        for known in all {
            let Preset { width, height, steps, cfg_scale, .. } = known.settings;
            let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
            let (width, height, steps) = (number(*width), number(*height), number(*steps));
            let cfg = cfg_scale.map(|cfg| cfg.to_string()).unwrap_or_default();
            let place =
                if known.files.is_empty() { ", no place to pull from is known" } else { "" };
            println!(
                "{:<18} {:<26} {width}×{height}, {steps} steps, cfg {cfg}{place}",
                known.name, known.title
            );
        }
        Ok(true)
    }
}

fn listed(folder: &Folder, model: ModelEntry) -> Result<Listed, HubError> {
    let file = model.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // A name that no pull gives has no record.
    let record = match folder.file(&file) {
        Ok(_) => folder.record(&file)?,
        Err(_) => None,
    };
    let missing = missing(&model);
    Ok(Listed { model, file, record, missing })
}

/// The parts that a model lacks, with those that its preset names.
fn missing(model: &ModelEntry) -> Vec<String> {
    let file = ModelFile::open(&model.path);
    if !file.is_ok_and(|file| file.architecture().has_diffusion_model()) {
        return Vec::new();
    }
    let parts = || {
        let mut config = ModelConfig::for_file(&model.path);
        Preset::beside(&model.path)?.apply_to_config(&mut config);
        config.missing_parts()
    };
    match parts() {
        Ok(parts) => parts.required.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

fn print_json(value: &impl Serialize) -> Result<(), HubError> {
    let text = serde_json::to_string_pretty(value);
    println!("{}", text.map_err(|error| HubError::new(error.to_string()))?);
    Ok(())
}
