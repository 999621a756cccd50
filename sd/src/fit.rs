//! What goes with the files of a configuration: LoRAs, a ControlNet, embeddings.

use crate::{
    Architecture, Error, Lora, LoraApplyMode, Mismatch, ModelConfig, ModelFile, Result, WeightType,
};
use std::path::Path;

/// The files of a configuration that others must fit, looked at when first asked.
#[derive(Debug, Default)]
pub(crate) struct Bases {
    files: Option<Vec<ModelFile>>,
    /// LoRAs that were merged into mapped weights, which stay changed.
    merged: Vec<Lora>,
}

impl Bases {
    fn open(&mut self, config: &ModelConfig) -> Result<&[ModelFile]> {
        if self.files.is_none() {
            let files = [
                &config.diffusion_model,
                &config.model,
                &config.high_noise_diffusion_model,
                &config.clip_l,
                &config.clip_g,
                &config.t5xxl,
                &config.llm,
            ];
            let opened: Result<_> = files.into_iter().flatten().map(ModelFile::open).collect();
            self.files = Some(opened?);
        }
        Ok(self.files.as_deref().unwrap_or_default())
    }

    /// What the diffusion model is, by its file; none where the file says nothing.
    pub(crate) fn diffusion_architecture(
        &mut self,
        config: &ModelConfig,
        mock: bool,
    ) -> Result<Option<Architecture>> {
        if mock {
            return Ok(None);
        }
        let bases = self.open(config)?;
        Ok(bases.iter().map(ModelFile::architecture).find(|a| a.has_diffusion_model()))
    }

    /// Whether LoRAs fit: a wrong shape fails an assertion in the engine, and one without a tensor
    /// of the model would change nothing.
    pub(crate) fn check_loras(&mut self, config: &ModelConfig, loras: &[Lora]) -> Result<()> {
        let active: Vec<_> = loras.iter().filter(|lora| lora.multiplier != 0.0).cloned().collect();
        self.check_merged(config, &active)?;
        let loras = || active.iter();
        if active.is_empty() {
            return Ok(());
        }
        if config.high_noise_diffusion_model.is_none() && loras().any(|lora| lora.high_noise) {
            return Err(Error::invalid(
                "loras",
                "one with high_noise",
                "such with a high_noise_diffusion_model in the configuration",
            ));
        }
        let bases = self.open(config)?;
        let quantised = holds_quantised(config, bases);
        if loras().any(|lora| lora.high_noise) && !merges(config, quantised) {
            return Err(Error::Unsupported {
                what: "a LoRA for the high-noise model at run time".to_owned(),
                reason:
                    "the engine leaves it out; set lora_apply_mode to immediately, with weights \
                         that are not quantised"
                        .to_owned(),
            });
        }
        if config.lora_apply_mode == LoraApplyMode::Immediately && quantised {
            return Err(Error::Unsupported {
                what: "merging LoRAs into quantised weights".to_owned(),
                reason: "the engine cannot; set lora_apply_mode to auto or at_runtime, or \
                         weight_type to f16"
                    .to_owned(),
            });
        }
        for lora in loras() {
            let file = ModelFile::open(&lora.path)?;
            fits("loras", &lora.path, bases, |base| file.lora_fits(base))?;
        }
        Ok(())
    }

    /// The engine merges into the pages of a mapped file, and maps it once: they stay changed.
    fn check_merged(&mut self, config: &ModelConfig, active: &[Lora]) -> Result<()> {
        if !config.maps() || config.lora_apply_mode != LoraApplyMode::Immediately {
            return Ok(());
        }
        if !self.merged.is_empty() && self.merged != active {
            return Err(Error::Unsupported {
                what: "another set of LoRAs merged into mapped weights".to_owned(),
                reason: "those merged before cannot be taken out again; open a new context, or \
                         switch mmap off, or set lora_apply_mode to at_runtime"
                    .to_owned(),
            });
        }
        self.merged = active.to_vec();
        Ok(())
    }

    /// Whether ControlNet and embeddings fit.
    pub(crate) fn check_config(&mut self, config: &ModelConfig) -> Result<()> {
        if let Some(path) = &config.control_net {
            let file = ModelFile::open(path)?;
            fits("control_net", path, self.open(config)?, |base| file.control_net_fits(base))?;
        }
        for embedding in &config.embeddings {
            let file = ModelFile::open(&embedding.path)?;
            let bases = self.open(config)?;
            fits("embeddings", &embedding.path, bases, |base| file.embedding_fits(base))?;
        }
        Ok(())
    }
}

/// A file fits when it fits one of the bases, and has a wrong shape for none.
fn fits(
    role: &'static str,
    path: &Path,
    bases: &[ModelFile],
    fit: impl Fn(&ModelFile) -> Result<(), Mismatch>,
) -> Result<()> {
    let refused = |mismatch| {
        Err(Error::DoesNotFit {
            role: role.into(),
            path: path.to_owned(),
            mismatch: Box::new(mismatch),
        })
    };
    let mut first = None;
    let mut fitted = false;
    for base in bases {
        match fit(base) {
            Ok(()) => fitted = true,
            Err(wrong @ Mismatch::Shape { .. }) => return refused(wrong),
            Err(other) => {
                first.get_or_insert(other);
            }
        }
    }
    match first {
        Some(mismatch) if !fitted => refused(mismatch),
        _ => Ok(()),
    }
}

/// Whether LoRAs are merged, as the engine decides it when it is left to.
fn merges(config: &ModelConfig, quantised: bool) -> bool {
    match apply_mode(config) {
        LoraApplyMode::Immediately => true,
        LoraApplyMode::AtRuntime => false,
        _ => !quantised && !config.stream_layers && config.params_backend.is_none(),
    }
}

/// What the engine is told. Left to itself it would merge into mapped weights, which cannot be
/// undone.
pub(crate) fn apply_mode(config: &ModelConfig) -> LoraApplyMode {
    match config.lora_apply_mode {
        LoraApplyMode::Auto if config.maps() => LoraApplyMode::AtRuntime,
        mode => mode,
    }
}

fn holds_quantised(config: &ModelConfig, bases: &[ModelFile]) -> bool {
    let by_rules = config.tensor_type_rules.iter().flat_map(|rules| rules.split(','));
    let mut by_rules = by_rules.filter_map(|rule| rule.split_once('=')?.1.parse().ok());
    let quantised =
        |kind: WeightType| !matches!(kind, WeightType::F32 | WeightType::F16 | WeightType::Bf16);
    by_rules.any(quantised)
        || match config.weight_type {
            Some(kind) => quantised(kind),
            None => bases
                .iter()
                .any(|base| base.weight_types().iter().any(|(kind, ..)| kind.is_quantised())),
        }
}
