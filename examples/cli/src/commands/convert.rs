//! `sdcpp convert`

use crate::{
    app::App,
    options::EngineOptions,
    report::{Report, seconds},
};
use clap::Args;
use sdcpp::Error;
use serde_json::json;
use std::path::PathBuf;

/// Convert or quantise a model file.
///
/// The format is told by the name of the output: .gguf or .safetensors. The weight type is --type;
/// the whole result is in memory meanwhile.
#[derive(Args, Debug)]
#[command(after_long_help = crate::exit::HELP)]
pub(crate) struct Convert {
    /// Model file to read
    #[arg(short, long, visible_alias = "input", value_name = "FILE")]
    model: PathBuf,
    /// File to write; an existing one is replaced once the new one is whole
    #[arg(short, long, default_value = "output.gguf", value_name = "FILE")]
    output: PathBuf,
    /// VAE to put in place of the model's own
    #[arg(long, value_name = "FILE")]
    vae: Option<PathBuf>,
    /// Rename tensors to the engine's own names
    #[arg(long)]
    convert_name: bool,
    #[command(flatten)]
    engine: EngineOptions,
}

impl Convert {
    fn job(&self) -> sdcpp::Convert {
        let mut convert = sdcpp::Convert::new(&self.model, &self.output)
            .convert_names(self.convert_name)
            .trust_pickle(self.engine.trust_pickle());
        convert.vae.clone_from(&self.vae);
        convert.weight_type = self.engine.weight_type();
        convert.tensor_type_rules = self.engine.tensor_type_rules().map(str::to_owned);
        convert
    }

    pub(crate) fn run(&self, app: &App) -> Result<Report, Error> {
        let converted = self.job().run_with(&app.engine()?, app.watch(None))?;
        let mut report = Report::new("convert");
        let (file, time) = (self.output.display().to_string(), converted.timings.total);
        report.line(format!("{file} ({:.1} MiB)", converted.bytes as f64 / 1_048_576.0));
        report.set("file", file);
        report.set("bytes", converted.bytes);
        report.set("timings", json!({ "total": seconds(time) }));
        report.note(format!("in all {:.2} s", time.as_secs_f64()));
        report.warnings(&converted.warnings);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use sdcpp::WeightType;

    #[test]
    fn options_are_those_of_the_conversion() {
        let line = "sdcpp convert -m a.safetensors -o b.gguf --vae v.gguf --type q4_K \
                    --tensor-type-rules ^vae=f16 --convert-name --trust-pickle";
        let Command::Convert(options) =
            Cli::try_parse_from(line.split_whitespace()).unwrap().command
        else {
            unreachable!()
        };
        let expected = sdcpp::Convert::new("a.safetensors", "b.gguf")
            .vae("v.gguf")
            .weight_type(WeightType::Q4K)
            .tensor_type_rules("^vae=f16")
            .convert_names(true)
            .trust_pickle(true);
        assert_eq!(options.job(), expected);
    }
}
