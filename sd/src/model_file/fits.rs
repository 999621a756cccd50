//! Whether a LoRA, a ControlNet or an embedding is of a model's shapes. With others the engine
//! fails an assertion, or leaves them out with no more than a line in the log.

use super::{
    architecture::Architecture,
    component::Component,
    header::ModelFormat,
    inspect::ModelFile,
    lora::{Module, modules, rows_and_columns},
    lora_names,
    tensor::shape_text,
};
use std::{borrow::Cow, collections::BTreeMap};

/// Why a file does not fit a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// A tensor is of another shape than the model's.
    #[error("{tensor} is for {}, and the model has {} there", shape_text(given), shape_text(model))]
    #[non_exhaustive]
    Shape {
        /// The tensor in the file that does not fit.
        tensor: String,
        /// The shape it is for, the outermost dimension first.
        given: Vec<u64>,
        /// The shape in the model; for an embedding the widths of its text encoders.
        model: Vec<u64>,
    },
    /// No name of the LoRA is one of the model's.
    #[error("none of its {modules} changes, as {example:?}, is of a tensor that the model has")]
    #[non_exhaustive]
    NoKeyMatches {
        /// How many tensors the LoRA changes.
        modules: usize,
        /// One of its names.
        example: String,
    },
    /// The file is something else than was asked about.
    #[error("it is no {expected}: {found}")]
    #[non_exhaustive]
    WrongKind {
        /// What it should be.
        expected: Cow<'static, str>,
        /// What it is.
        found: Architecture,
    },
    /// The engine has no such thing for models of this family.
    #[error("there is no {what} for {family}")]
    #[non_exhaustive]
    Family {
        /// What was to be used.
        what: Cow<'static, str>,
        /// The model's family.
        family: Architecture,
    },
}

impl ModelFile {
    /// Whether this LoRA fits a model: whether each tensor that it changes has its shape in `base`.
    ///
    /// Names are compared as the engine converts them: those of kohya (`lora_unet_…`, `lora_te_…`),
    /// of diffusers (`unet.…`, `transformer.…`) and the original ones (`diffusion_model.…`). What
    /// the base does not have is ignored, as text encoders where they are files of their own. Of a
    /// pickle checkpoint nothing can be said, so it fits.
    ///
    /// # Errors
    /// The first [`Mismatch`]. [`Mismatch::NoKeyMatches`] if nothing of the LoRA would take effect
    /// on this file.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sdcpp::ModelFile;
    ///
    /// let base = ModelFile::open("sdxl.safetensors")?;
    /// ModelFile::open("style.safetensors")?.lora_fits(&base)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lora_fits(&self, base: &Self) -> Result<(), Mismatch> {
        if self.format() == ModelFormat::Pickle || base.format() == ModelFormat::Pickle {
            return Ok(());
        }
        self.expect(Architecture::Lora, "LoRA")?;
        let family = base.architecture();
        if !family.has_diffusion_model() && !matches!(family, Architecture::TextEncoder(_)) {
            return Err(Mismatch::WrongKind {
                expected: "model that LoRAs change".into(),
                found: family,
            });
        }
        // Rows and columns of the model's tensors, the parts of one added up.
        let mut targets = BTreeMap::<String, (u64, u64)>::new();
        for tensor in base.tensor_list() {
            let key = lora_names::of_model(&tensor.name, base.component_of(tensor), family);
            if let (Some(key), Some((rows, columns))) = (key, rows_and_columns(&tensor.shape)) {
                let target = targets.entry(key.name).or_insert((0, columns));
                target.0 = target.0.saturating_add(rows);
            }
        }
        let modules = modules(self.tensor_list());
        let mut changes = BTreeMap::<String, BTreeMap<u8, &Module<'_>>>::new();
        for module in &modules {
            if let Some(key) = lora_names::of_lora(module.name, family)
                && targets.contains_key(&key.name)
            {
                changes.entry(key.name).or_default().insert(key.part, module);
            }
        }
        if changes.is_empty() {
            let example = modules.first().map_or("", |m| m.name).to_owned();
            return Err(Mismatch::NoKeyMatches { modules: modules.len(), example });
        }
        for (key, parts) in &changes {
            if let Some(target) = targets.get(key) {
                compare(parts, *target, lora_names::has_parts(key))?;
            }
        }
        Ok(())
    }

    /// Whether this ControlNet fits a model: the same family of U-Net, and text of the same width.
    ///
    /// # Errors
    /// A [`Mismatch`]; of a pickle checkpoint nothing can be said, so it fits.
    pub fn control_net_fits(&self, base: &Self) -> Result<(), Mismatch> {
        if self.format() == ModelFormat::Pickle || base.format() == ModelFormat::Pickle {
            return Ok(());
        }
        self.expect(Architecture::ControlNet, "ControlNet")?;
        let family = base.architecture();
        if !family.is_unet() {
            return Err(Mismatch::Family { what: "ControlNet".into(), family });
        }
        let cross = |file: &Self| {
            file.tensors()
                .find(|t| {
                    t.name.ends_with("attn2.to_k.weight")
                        && matches!(
                            file.component_of(t),
                            Component::DiffusionModel | Component::ControlNet
                        )
                })
                .cloned()
        };
        match (cross(self), cross(base)) {
            (Some(own), Some(model)) if own.shape != model.shape => {
                Err(Mismatch::Shape { given: own.shape, tensor: own.name, model: model.shape })
            }
            _ => Ok(()),
        }
    }

    /// Whether this textual-inversion embedding fits a model: its vectors are as wide as one of
    /// the text encoders.
    ///
    /// # Errors
    /// A [`Mismatch`]; of a pickle checkpoint nothing can be said, so a pickle fits, and an embedding fits a
    /// pickle.
    pub fn embedding_fits(&self, base: &Self) -> Result<(), Mismatch> {
        if self.format() == ModelFormat::Pickle {
            return Ok(());
        }
        // The engine has no check of its own for what is no embedding at all.
        self.expect(Architecture::Embedding, "embedding")?;
        if base.format() == ModelFormat::Pickle {
            return Ok(());
        }
        let family = base.architecture();
        let widths: &[u64] = match family {
            a if a.is_sd1() => &[768],
            a if a.is_sd2() => &[1024],
            a if a.is_sdxl() => &[768, 1280],
            _ => return Err(Mismatch::Family { what: "embedding".into(), family }),
        };
        match self.tensors().find(|t| !widths.contains(&t.inner(0))) {
            Some(tensor) => Err(Mismatch::Shape {
                tensor: tensor.name.clone(),
                given: tensor.shape.clone(),
                model: widths.to_vec(),
            }),
            None => Ok(()),
        }
    }

    /// The family that a textual-inversion embedding is for, by the width of its vectors; none if
    /// the file is something else.
    pub fn embedding_family(&self) -> Option<Architecture> {
        if self.architecture() != Architecture::Embedding {
            return None;
        }
        let has = |width| self.tensors().any(|t| t.inner(0) == width);
        Some(match () {
            () if has(1280) => Architecture::Sdxl,
            () if has(1024) => Architecture::Sd2,
            () => Architecture::Sd1,
        })
    }

    fn expect(&self, expected: Architecture, name: &'static str) -> Result<(), Mismatch> {
        match self.architecture() {
            found if found == expected => Ok(()),
            found => Err(Mismatch::WrongKind { expected: name.into(), found }),
        }
    }
}

/// Compares the changes of one tensor's parts with its rows and columns. The engine takes the parts
/// that follow each other from the first one, and leaves out the rest.
fn compare(
    parts: &BTreeMap<u8, &Module<'_>>,
    (rows, columns): (u64, u64),
    may_be_less: bool,
) -> Result<(), Mismatch> {
    let mut sum = 0_u64;
    for (expected, (part, module)) in (0..).zip(parts) {
        let Some((own_rows, own_columns)) = module.shape().filter(|_| *part == expected) else {
            break;
        };
        sum = sum.saturating_add(own_rows);
        let fits = if may_be_less { sum <= rows } else { sum == rows };
        if own_columns != columns || !fits {
            return Err(Mismatch::Shape {
                tensor: module.name.to_owned(),
                given: vec![own_rows, own_columns],
                model: vec![rows, columns],
            });
        }
    }
    Ok(())
}
