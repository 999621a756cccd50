//! Draws with the local model if it can serve, else by an OpenAI-compatible endpoint.
//!
//! ```sh
//! SD_MODEL_PATH=model.gguf cargo run --release --example provider_fallback -- -p "a lighthouse"
//! OPENAI_BASE_URL=http://localhost:8080/v1 cargo run --release --example provider_fallback -- -p "a lighthouse"
//! ```
//!
//! `OPENAI_API_KEY` is sent if it is set, and the address is OpenAI's if `OPENAI_BASE_URL` is not.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Parser;
use sdcpp::{Provider, Settings, image};
use serde_json::{Value, json};
use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Duration};

/// Draw with the local model (SD_MODEL_PATH), else by an OpenAI-compatible endpoint.
#[derive(Parser)]
struct Options {
    /// What to draw
    #[arg(short, long)]
    prompt: String,
    /// PNG file to write
    #[arg(short, long, default_value = "out.png")]
    output: PathBuf,
    /// The endpoint's model
    #[arg(long, default_value = "dall-e-3")]
    api_model: String,
    /// Threads of the local engine; else one for each core
    #[arg(short, long)]
    threads: Option<u32>,
}

/// The largest answer of the endpoint: a picture of 4096×4096 in base64.
const MOST_BYTES: u64 = 90 << 20;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    match Provider::detect(&settings) {
        Ok(provider) => {
            eprintln!("drawing here, with {}", provider.family());
            locally(options, &settings, &provider)
        }
        Err(reason) => {
            eprintln!("not drawing here: {reason}");
            if let Some(advice) = reason.advice() {
                eprintln!("  try: {advice}");
            }
            by_endpoint(options, &settings)
        }
    }
}

fn locally(
    options: &Options,
    settings: &Settings,
    provider: &Provider,
) -> Result<(), Box<dyn Error>> {
    let mut config = provider.config().clone();
    config.threads = options.threads;
    let mut context = sdcpp::Context::new(config)?;
    let mut watch = sdcpp::Watch::new();
    if let Some(limit) = settings.time_limit() {
        watch = watch.time_limit(limit);
    }
    let generated = context.generate_with(&provider.request(&options.prompt), watch)?;
    let picture = generated.first().ok_or("no picture was drawn")?;
    picture.save(&options.output)?;
    println!("{} (seed {})", options.output.display(), picture.seed());
    Ok(())
}

fn by_endpoint(options: &Options, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let base = env::var("OPENAI_BASE_URL").unwrap_or_else(|_| "https://api.openai.com/v1".into());
    let url = format!("{}/images/generations", base.trim_end_matches('/'));
    let side = settings.image_size.unwrap_or(1024);
    let mut body = json!({
        "model": options.api_model, "prompt": options.prompt, "n": 1, "size": format!("{side}x{side}"),
    });
    // Those answer in base64 without being asked, and refuse to be asked.
    if !options.api_model.starts_with("gpt-image")
        && let Some(body) = body.as_object_mut()
    {
        body.insert("response_format".into(), "b64_json".into());
    }
    let agent = ureq::Agent::config_builder()
        .timeout_global(settings.time_limit().or(Some(Duration::from_secs(600))))
        // The body of an answer that refuses says why.
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut request = agent.post(&url);
    if let Ok(key) = env::var("OPENAI_API_KEY") {
        request = request.header("Authorization", format!("Bearer {key}"));
    }
    eprintln!("drawing by {url}");
    let mut answer = request.send_json(&body).map_err(|e| format!("{url} does not answer: {e}"))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .with_config()
        .limit(MOST_BYTES)
        .read_to_string()
        .map_err(|e| format!("the answer of {url} cannot be read: {e}"))?;
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    if !status.is_success() {
        let reason = said.pointer("/error/message").and_then(Value::as_str);
        let start: String = text.chars().take(200).collect();
        return Err(format!("{url} refuses ({status}): {}", reason.unwrap_or(&start)).into());
    }
    let data = said.pointer("/data/0/b64_json").and_then(Value::as_str);
    let bytes = STANDARD.decode(data.ok_or_else(|| format!("{url} sent no picture in base64"))?)?;
    let picture = image::load_from_memory(&bytes).map_err(|e| format!("{url} sent no PNG: {e}"))?;
    picture.save(&options.output)?;
    println!("{}", options.output.display());
    Ok(())
}
