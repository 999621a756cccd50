//! Converting and quantising model files.

use crate::{
    Error, ModelFile, Result, Timings, Warning, Watch, WeightType,
    config::check_type_rules,
    engine::{self, ConvertOptions, Engine, Status},
    failure::{self, During},
    model_file::{self, Trust},
    setters::setters,
    validate, whole_file,
};
use std::path::PathBuf;

/// Writes a model file in another format or with other weight types.
///
/// The format is told by the name of the output: `.gguf` or `.safetensors` (which holds f32, f16 and
/// bf16 only). The whole result is in memory meanwhile.
///
/// ```no_run
/// use sdcpp::{Convert, WeightType};
///
/// # fn main() -> sdcpp::Result<()> {
/// Convert::new("sd15.safetensors", "sd15-q8_0.gguf").weight_type(WeightType::Q8_0).run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Convert {
    /// The file to read.
    pub input: PathBuf,
    /// The file to write; an existing one is replaced once the new one is whole.
    pub output: PathBuf,
    /// A VAE to put in place of the model's own.
    pub vae: Option<PathBuf>,
    /// The type of the weights. Default: as in the input. Norms, biases and the like keep theirs.
    pub weight_type: Option<WeightType>,
    /// Types by tensor name, as
    /// [`ModelConfig::tensor_type_rules`](crate::ModelConfig::tensor_type_rules).
    pub tensor_type_rules: Option<String>,
    /// Renames tensors to the engine's own names. Default: no.
    pub convert_names: bool,
    /// Allows pickle checkpoints as input, which can crash the process if hostile.
    pub trust_pickle: bool,
}

setters! {
    Convert {
        path vae;
        some weight_type: WeightType;
        text tensor_type_rules;
        plain convert_names: bool;
        plain trust_pickle: bool;
    }
}

/// A written file, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Converted {
    /// Its size.
    pub bytes: u64,
    /// How long it took.
    pub timings: Timings,
    /// What the engine warned of meanwhile.
    pub warnings: Vec<Warning>,
}

impl Convert {
    /// From `input` to `output`, everything else by default.
    pub fn new(input: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            input: input.into(),
            output: output.into(),
            vae: None,
            weight_type: None,
            tensor_type_rules: None,
            convert_names: false,
            trust_pickle: false,
        }
    }

    /// Converts with the engine of [`Engine::auto`].
    ///
    /// # Errors
    /// [`Error::InvalidParameter`], those of reading the input, [`Error::Io`] for the output,
    /// [`Error::OutOfMemory`], [`Error::Engine`]. The output is whole or untouched.
    pub fn run(&self) -> Result<Converted> {
        self.run_with(&Engine::auto()?, Watch::new())
    }

    /// Converts with `engine`, watched by `watch`. The engine cannot be left half-way: a cancel or
    /// time limit takes effect when it returns, and then nothing is written.
    ///
    /// # Errors
    /// As [`Convert::run`], and [`Error::Cancelled`] or [`Error::DeadlineExceeded`].
    pub fn run_with(&self, engine: &Engine, watch: Watch<'_>) -> Result<Converted> {
        let extension = self.check()?;
        let trust = if self.trust_pickle { Trust::Pickle } else { Trust::DataOnly };
        if !engine.mock {
            model_file::check("input", &self.input, trust)?;
            if let Some(vae) = &self.vae {
                model_file::check("vae", vae, trust)?;
            }
            if extension == ".safetensors" {
                self.check_floats()?;
            }
        }
        if let Some(rules) = &self.tensor_type_rules {
            engine.check_type_rules(rules)?;
        }
        let doing = || format!("write {}", self.output.display());
        let temporary = whole_file::beside(&self.output, extension);
        let temporary = temporary.map_err(|e| Error::io(doing(), e))?.into_temp_path();
        let outcome = engine::convert(
            engine,
            &ConvertOptions {
                input: &self.input,
                vae: self.vae.as_deref(),
                output: &temporary,
                weight_type: self.weight_type,
                tensor_type_rules: self.tensor_type_rules.as_deref(),
                convert_names: self.convert_names,
            },
            watch,
        )?;
        if let Some(stopped) = outcome.stopped(true) {
            return Err(stopped);
        }
        if outcome.status != Status::Ok {
            return Err(failure::classify(outcome, During::Generating, &self.input));
        }
        let io = |e| Error::io(doing(), e);
        let file = std::fs::File::open(&temporary).map_err(io)?;
        file.sync_all().map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        drop(file);
        temporary.persist(&self.output).map_err(|e| io(e.error))?;
        Ok(Converted { bytes, timings: outcome.timings, warnings: outcome.lines.warnings })
    }

    /// safetensors files hold no quantised weights; the engine would say so after reading them all.
    fn check_floats(&self) -> Result<()> {
        let quantised = |kind: WeightType| {
            !matches!(kind, WeightType::F32 | WeightType::F16 | WeightType::Bf16)
        };
        let rules = self.tensor_type_rules.iter().flat_map(|rules| rules.split(','));
        let mut types = rules.filter_map(|rule| rule.split_once('=')?.1.parse().ok());
        if let Some(kind) = types.find(|kind| quantised(*kind)) {
            return Err(Error::invalid(
                "tensor_type_rules",
                kind.name(),
                "f32, f16 or bf16 in safetensors",
            ));
        }
        let input = ModelFile::open(&self.input)?;
        let held = input.weight_types().into_iter().find(|(kind, ..)| kind.is_quantised());
        match (self.weight_type, held) {
            (None, Some((kind, ..))) => Err(Error::invalid(
                "weight_type",
                format!("not set, and the input holds {}", kind.name()),
                "f32, f16 or bf16 in safetensors",
            )),
            _ => Ok(()),
        }
    }

    /// Checks the values; says how the output ends.
    fn check(&self) -> Result<&'static str> {
        // The engine tells the format by the end of the name, in lower case.
        let extension = self.output.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let extension = match extension.to_ascii_lowercase().as_str() {
            "gguf" => ".gguf",
            "safetensors" => ".safetensors",
            _ => {
                let allowed = "a name that ends in .gguf or .safetensors";
                return Err(Error::invalid("output", self.output.display(), allowed));
            }
        };
        let plain = [None, Some(WeightType::F32), Some(WeightType::F16), Some(WeightType::Bf16)];
        if extension == ".safetensors" && !plain.contains(&self.weight_type) {
            return Err(Error::invalid(
                "weight_type",
                self.weight_type.map(WeightType::name).unwrap_or_default(),
                "f32, f16 or bf16 in safetensors",
            ));
        }
        if let Some(rules) = &self.tensor_type_rules {
            validate::text("tensor_type_rules", rules)?;
            check_type_rules(rules)?;
        }
        Ok(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        let to = |output: &str| Convert::new("in.gguf", output);
        for (convert, start) in [
            (to("out.ckpt"), "output is out.ckpt"),
            (to("out"), "output is out"),
            (to("out.safetensors").weight_type(WeightType::Q8_0), "weight_type is q8_0"),
            (to("out.gguf").tensor_type_rules("vae"), "tensor_type_rules is"),
        ] {
            let text = convert.check().unwrap_err().to_string();
            assert!(text.starts_with(start), "{text:?} should start with {start:?}");
        }
        assert_eq!(to("a/out.gguf").check().unwrap(), ".gguf");
        assert!(matches!(to("out.gguf").run(), Err(Error::FileNotFound { .. })));
    }
}
