//! Draws a prompt in all its variants, on one labelled sheet.
//!
//! ```sh
//! cargo run --release --example prompt_matrix -- "a {red|green|blue} {circle|square}"
//! cargo run --release --example prompt_matrix -- "a castle|at night|oil painting" --model sd15.gguf
//! ```
//!
//! Lists in braces: every choice of one from each; the first list makes the columns. Without braces it
//! is the prompt matrix of A1111: what follows each `|` is put in or left out, in all combinations.
//! Every picture has the same seed.

mod common;

use clap::Parser;
use common::{
    Model, exit, save,
    sheet::{Sheet, labelled},
};
use sdcpp::{Error, image::RgbImage};
use std::{borrow::Cow, path::PathBuf, process::ExitCode};

/// Draw a prompt in all its variants, on one labelled sheet.
#[derive(Parser)]
struct Options {
    /// The prompt, as "a {red|blue} {circle|square}" or "a castle|at night|oil painting"
    prompt: String,
    /// PNG file to write
    #[arg(short, long, default_value = "matrix.png")]
    output: PathBuf,
    #[command(flatten)]
    model: Model,
}

/// The most pictures on a sheet.
const MOST: usize = 256;

fn main() -> ExitCode {
    exit(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Error> {
    let matrix = Matrix::parse(&options.prompt)?;
    let mut context = options.model.open()?;
    let mut pictures = Vec::new();
    for (index, prompt) in matrix.prompts.iter().enumerate() {
        eprintln!("{} of {}: {prompt}", index + 1, matrix.prompts.len());
        let generated = context.generate(&options.model.request(prompt)?)?;
        pictures.extend(generated.first().map(|picture| picture.to_rgb()));
    }
    let sheet = matrix.sheet(pictures);
    save(&sheet, &options.output)?;
    let (width, height) = sheet.dimensions();
    let count = matrix.prompts.len();
    println!("{}: {width}x{height}, {count} pictures", options.output.display());
    Ok(())
}

/// All variants of a prompt, row by row.
struct Matrix {
    prompts: Vec<String>,
    /// Labels of columns and rows, where there are two lists or one; else each picture has its own.
    axes: Option<(Vec<String>, Vec<String>)>,
}

impl Matrix {
    fn parse(text: &str) -> Result<Self, Error> {
        let parts = parts(text)?;
        let lists: Vec<&[String]> =
            parts.iter().map(Vec::as_slice).filter(|p| p.len() > 1).collect();
        let count = lists.iter().fold(1_usize, |all, list| all.saturating_mul(list.len()));
        if lists.is_empty() || count > MOST {
            let value = format!("a text of {count} variants");
            return Err(invalid(
                &value,
                &format!("2 to {MOST} variants, as in \"a {{red|blue}} circle\""),
            ));
        }
        let axes = match lists.as_slice() {
            [columns] => Some((columns.to_vec(), Vec::new())),
            [columns, rows] => Some((columns.to_vec(), rows.to_vec())),
            _ => None,
        };
        let prompts = (0..count).map(|index| variant(&parts, index)).collect();
        Ok(Self { prompts, axes })
    }

    fn sheet(&self, pictures: Vec<RgbImage>) -> RgbImage {
        match self.axes.clone() {
            Some((columns, rows)) => {
                let named = |labels: Vec<String>| -> Vec<String> {
                    let plain = |label: String| match label.trim_matches([',', ' ']) {
                        "" => "without".to_owned(),
                        text => text.to_owned(),
                    };
                    labels.into_iter().map(plain).collect()
                };
                Sheet { columns: named(columns), rows: named(rows) }.draw(&pictures)
            }
            None => {
                let each: Vec<_> = self.prompts.iter().cloned().zip(pictures).collect();
                let columns = (each.len() as f64).sqrt().ceil() as usize;
                labelled(&each, columns)
            }
        }
    }
}

/// The prompt of this number: the first list changes fastest.
fn variant(parts: &[Vec<String>], mut index: usize) -> String {
    let mut prompt = String::new();
    for part in parts {
        let chosen = part.get(index % part.len().max(1));
        prompt.push_str(chosen.map(String::as_str).unwrap_or_default());
        index /= part.len().max(1);
    }
    prompt
}

/// Texts in turn, each with its choices; of a fixed text there is one.
fn parts(text: &str) -> Result<Vec<Vec<String>>, Error> {
    let mut parts = Vec::new();
    if !text.contains('{') {
        let mut options = text.split('|').map(str::trim);
        parts.push(vec![options.next().unwrap_or_default().to_owned()]);
        parts.extend(options.map(|option| vec![String::new(), format!(", {option}")]));
        return Ok(parts);
    }
    let mut rest = Cow::from(text);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((list, after)) = after.split_once('}') else {
            return Err(invalid(&format!("{text:?}"), "a } for each {"));
        };
        parts.push(vec![before.to_owned()]);
        parts.push(list.split('|').map(|choice| choice.trim().to_owned()).collect());
        rest = after.to_owned().into();
    }
    parts.push(vec![rest.into_owned()]);
    Ok(parts)
}

fn invalid(value: &str, allowed: &str) -> Error {
    Error::InvalidParameter {
        field: "prompt".into(),
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    }
}
