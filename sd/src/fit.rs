//! What goes with the files of a configuration: LoRAs, a ControlNet, embeddings.

use crate::{
    Architecture, Error, Lora, LoraApplyMode, Mismatch, ModelConfig, ModelFile, Result, WeightType,
};
use std::path::Path;

/// The files of a configuration that others must fit, looked at when first asked.
#[derive(Debug, Default)]
pub(crate) struct Bases(Option<Vec<ModelFile>>);

impl Bases {
    fn open(&mut self, config: &ModelConfig) -> Result<&[ModelFile]> {
        if self.0.is_none() {
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
            self.0 = Some(opened?);
        }
        Ok(self.0.as_deref().unwrap_or_default())
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
        let loras = || loras.iter().filter(|lora| lora.multiplier != 0.0);
        if loras().next().is_none() {
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
        if config.lora_apply_mode == LoraApplyMode::Immediately && holds_quantised(config, bases) {
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
