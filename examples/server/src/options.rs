//! What the server is started with: flags, else variables, else the file of `--config`, else defaults.

use crate::error::ApiError;
use clap::{ArgAction, Parser};
use sdcpp::{ImageRequest, InpaintArea};
use serde::Deserialize;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

/// Pixels that a given picture may have a side.
pub(crate) const MAX_GIVEN_SIDE: u32 = 4096;

/// Local pictures over HTTP: A1111's API, OpenAI's, and jobs with progress.
#[derive(Debug, Clone, Default, Parser, Deserialize)]
#[command(name = "sdcpp-server", version)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// TOML file with these options, named as here with `_` for `-`
    #[arg(long, env = "SDCPP_SERVER_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Address to listen on; 0.0.0.0 for every network [default: 127.0.0.1]
    #[arg(long, env = "SDCPP_LISTEN", value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "0.0.0.0")]
    pub listen: Option<IpAddr>,
    /// Port to listen on; 0 for any free one [default: 7860]
    #[arg(long, env = "SDCPP_PORT")]
    pub port: Option<u16>,
    /// Model to start with: a file, or the name of one in the models folder
    #[arg(short, long, env = "SD_MODEL_PATH", value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// Folder whose models can be chosen by name
    #[arg(long, env = "MODEL_CACHE_DIR", value_name = "FOLDER")]
    pub models: Option<PathBuf>,
    /// Folder of LoRAs, which prompts name as <lora:name:1>
    #[arg(long, env = "SDCPP_LORAS", value_name = "FOLDER")]
    pub loras: Option<PathBuf>,
    /// Pictures drawn at once [default: 2, or 1 where memory is short]
    #[arg(long, env = "MAX_CONCURRENT_REQUESTS", value_name = "N")]
    pub max_concurrent: Option<usize>,
    /// Jobs that may wait; further ones are answered 429 [default: 64]
    #[arg(long, env = "SDCPP_QUEUE_LIMIT", value_name = "N")]
    pub queue_limit: Option<usize>,
    /// Seconds a job may take, waiting included; 0 for no limit [default: 600]
    #[arg(long, env = "SD_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub timeout_seconds: Option<u64>,
    /// Threads of each picture [default: physical cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Draw in worker processes, so that a crash of the engine ends one picture only
    #[arg(long, env = "SDCPP_ISOLATED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub isolated: Option<bool>,
    /// Patterns in place of pictures, without a model; every answer says so
    #[arg(long, env = "USE_MOCKS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub mock: Option<bool>,
    /// Key that clients must show; may be given several times
    #[arg(
        long = "api-key",
        env = "SDCPP_API_KEY",
        value_delimiter = ',',
        hide_env_values = true,
        value_name = "KEY"
    )]
    #[serde(rename = "api_key")]
    pub api_keys: Vec<String>,
    /// Origins whose pages may use the API from a browser, scheme included; * for all
    #[arg(long, env = "SDCPP_CORS_ALLOW_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_allow_origins: Vec<String>,
    /// Host names that the server is reached by, beside its address and localhost
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub allowed_hosts: Vec<String>,
    /// Pictures that one request may ask for [default: 32]
    #[arg(long, value_name = "N")]
    pub max_batch: Option<u32>,
    /// Pixels that a picture may have a side [default: 2048]
    #[arg(long, value_name = "PIXELS")]
    pub max_side: Option<u32>,
    /// Steps that a picture may take [default: 150]
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u32>,
    /// Bytes that the body of a request may have [default: 64 MiB]
    #[arg(long, value_name = "BYTES")]
    pub max_body_bytes: Option<usize>,
    /// Finished jobs that are kept with their pictures [default: 200]
    #[arg(long, value_name = "N")]
    pub keep_jobs: Option<usize>,
    /// Bytes of pictures that are kept [default: 256 MiB]
    #[arg(long, value_name = "BYTES")]
    pub keep_bytes: Option<usize>,
    /// error, warn, info, debug or trace, also by module [default: info,sdcpp::engine=warn]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Taken for A1111's sake: the API is always on
    #[arg(long, action = ArgAction::SetTrue)]
    #[serde(skip)]
    pub api: bool,
}

impl Options {
    /// From the program's arguments and variables, and the file that they name.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn load() -> Result<Self, String> {
        let given = Self::parse();
        match &given.config {
            Some(path) => Ok(Self::read(path)?.overridden_by(given.clone())),
            None => Ok(given),
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn overridden_by(self, given: Self) -> Self {
        let list = |given: Vec<String>, file| if given.is_empty() { file } else { given };
        Self {
            config: given.config,
            listen: given.listen.or(self.listen),
            port: given.port.or(self.port),
            model: given.model.or(self.model),
            models: given.models.or(self.models),
            loras: given.loras.or(self.loras),
            max_concurrent: given.max_concurrent.or(self.max_concurrent),
            queue_limit: given.queue_limit.or(self.queue_limit),
            timeout_seconds: given.timeout_seconds.or(self.timeout_seconds),
            threads: given.threads.or(self.threads),
            isolated: given.isolated.or(self.isolated),
            mock: given.mock.or(self.mock),
            api_keys: list(given.api_keys, self.api_keys),
            cors_allow_origins: list(given.cors_allow_origins, self.cors_allow_origins),
            allowed_hosts: list(given.allowed_hosts, self.allowed_hosts),
            max_batch: given.max_batch.or(self.max_batch),
            max_side: given.max_side.or(self.max_side),
            max_steps: given.max_steps.or(self.max_steps),
            max_body_bytes: given.max_body_bytes.or(self.max_body_bytes),
            keep_jobs: given.keep_jobs.or(self.keep_jobs),
            keep_bytes: given.keep_bytes.or(self.keep_bytes),
            log_level: given.log_level.or(self.log_level),
            api: given.api,
        }
    }

    /// Lists without spaces around their values. An empty key would let everybody in, so it is refused.
    ///
    /// # Errors
    /// The option, its value and what is allowed.
    pub(crate) fn checked(mut self) -> Result<Self, ApiError> {
        for (option, list) in [
            ("api-key", &mut self.api_keys),
            ("cors-allow-origins", &mut self.cors_allow_origins),
            ("allowed-hosts", &mut self.allowed_hosts),
        ] {
            for value in list.iter_mut() {
                *value = value.trim().to_owned();
                let fits = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic());
                if !fits {
                    let allowed =
                        "visible ASCII characters; leave the option and its variable out for none";
                    return Err(ApiError::invalid(option, format!("{value:?}"), allowed));
                }
            }
        }
        Ok(self)
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(
            self.listen.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            self.port.unwrap_or(7860),
        )
    }

    /// Whether there is no model, and patterns are drawn.
    pub fn is_mock(&self) -> bool {
        self.mock == Some(true)
    }

    pub(crate) fn queue_limit(&self) -> usize {
        self.queue_limit.unwrap_or(64)
    }

    pub(crate) fn time_limit(&self) -> Option<Duration> {
        match self.timeout_seconds.unwrap_or(600) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// Refuses what would keep the service busy for too long.
    ///
    /// # Errors
    /// The field, its value and what is allowed.
    pub(crate) fn check(&self, request: &ImageRequest) -> Result<(), ApiError> {
        let side = self.max_side();
        let hires = request.hires.as_ref().map(|hires| match hires.target_size {
            Some((width, height)) => f64::from(width.max(height)),
            None => f64::from(hires.scale) * f64::from(request.width.max(request.height)),
        });
        // A continued picture has the size of the given one, and what is added.
        let continued = request.outpaint.as_ref().zip(request.init_image.as_ref());
        let continued = continued.map(|(added, picture)| {
            let width = picture.width().saturating_add(added.left).saturating_add(added.right);
            let height = picture.height().saturating_add(added.top).saturating_add(added.bottom);
            width.max(height)
        });
        let sampling = &request.sampling;
        // As many steps as there are sigmas, less the last.
        let sigmas =
            u32::try_from(sampling.custom_sigmas.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let hires_steps = request.hires.as_ref().and_then(|hires| hires.steps).unwrap_or(0);
        let given = [&request.init_image, &request.control_image]
            .into_iter()
            .flatten()
            .chain(&request.reference_images)
            .map(|picture| picture.width().max(picture.height()));
        for (field, value, most) in [
            ("a given picture's side", given.max().unwrap_or(0), MAX_GIVEN_SIDE),
            ("custom_sigmas", sigmas, self.max_steps()),
            ("hires.steps", hires_steps, self.max_steps()),
            ("outpaint", continued.unwrap_or(0), side),
            ("batch", request.batch, self.max_batch()),
            ("width", request.width, side),
            ("height", request.height, side),
            ("hires", hires.unwrap_or(0.0).ceil() as u32, side),
            ("steps", request.sampling.steps, self.max_steps()),
        ] {
            if value > most {
                return Err(ApiError::invalid(
                    field,
                    value,
                    &format!("up to {most} on this server"),
                ));
            }
        }
        // A part that is drawn anew comes back in the picture's own size.
        let (width, height) = match (&request.init_image, request.inpaint.area) {
            (Some(picture), InpaintArea::OnlyMasked { .. }) if request.mask.is_some() => {
                picture.dimensions()
            }
            _ => (request.width, request.height),
        };
        let pixels = u64::from(width) * u64::from(height) * u64::from(request.batch);
        let most = u64::from(side).pow(2) * u64::from(self.max_batch());
        if pixels > most {
            let allowed = format!("up to {most} on this server");
            return Err(ApiError::invalid("the pixels of all pictures", pixels, &allowed));
        }
        Ok(())
    }

    pub(crate) fn max_batch(&self) -> u32 {
        self.max_batch.unwrap_or(32)
    }

    pub(crate) fn max_side(&self) -> u32 {
        self.max_side.unwrap_or(2048)
    }

    pub(crate) fn max_steps(&self) -> u32 {
        self.max_steps.unwrap_or(150)
    }

    pub(crate) fn max_body_bytes(&self) -> usize {
        self.max_body_bytes.unwrap_or(64 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_rank_above_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "port = 9000\nqueue_limit = 3\napi_key = [\"a\"]\n").unwrap();
        let given = Options::parse_from(["sdcpp-server", "--port", "9001", "--listen"]);
        let options = Options::read(&path).unwrap().overridden_by(given);
        assert_eq!(options.address().to_string(), "0.0.0.0:9001");
        assert_eq!(
            (options.queue_limit(), options.api_keys.as_slice()),
            (3, ["a".to_owned()].as_slice())
        );
        assert_eq!(options.time_limit(), Some(Duration::from_secs(600)));
    }

    #[test]
    fn what_would_take_too_long_is_refused() {
        let options = Options { max_side: Some(512), ..Options::default() };
        let request =
            |set: fn(ImageRequest) -> ImageRequest| set(ImageRequest::new("x").size(256, 256));
        assert!(options.check(&request(|r| r)).is_ok());
        for (set, field) in [
            (request(|r| r.batch(33)), "batch is 33"),
            (request(|r| r.size(513, 64)), "width is 513"),
            (request(|r| r.steps(151)), "steps is 151"),
            (request(|r| r.custom_sigmas(vec![1.0; 153])), "custom_sigmas is 152"),
            (
                request(|r| r.init_image(image::RgbImage::new(4097, 1))),
                "a given picture's side is 4097",
            ),
            (
                request(|r| {
                    let area = InpaintArea::OnlyMasked { padding: 0 };
                    let r = r.init_image(image::RgbImage::new(4096, 4096)).batch(32);
                    r.mask(image::GrayImage::new(4096, 4096))
                        .inpaint(sdcpp::Inpaint::new().area(area))
                }),
                "the pixels of all pictures is 536870912",
            ),
            (
                request(|r| {
                    let added = sdcpp::Outpaint::new(300, 0, 0, 0);
                    r.init_image(image::RgbImage::new(256, 256)).outpaint(added)
                }),
                "outpaint is 556",
            ),
            (request(|r| r.hires(sdcpp::HiresFix::default().scale(2.1))), "hires is 538"),
        ] {
            assert!(options.check(&set).unwrap_err().message.starts_with(field), "{field}");
        }
    }

    #[test]
    fn an_empty_key_is_refused_and_spaces_are_cut() {
        let with = |keys: &[&str]| {
            let api_keys = keys.iter().map(|key| (*key).to_owned()).collect();
            Options { api_keys, ..Options::default() }.checked()
        };
        assert_eq!(with(&["a", " b "]).unwrap().api_keys, ["a", "b"]);
        for keys in [&[""][..], &["a", ""], &["  "], &["a b"]] {
            assert!(with(keys).unwrap_err().message.starts_with("api-key is "), "{keys:?}");
        }
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "prot = 9000\n").unwrap();
        let error = Options::read(&path).unwrap_err();
        assert!(error.contains("server.toml") && error.contains("prot"), "{error}");
    }

    #[test]
    fn the_local_machine_alone_is_the_default() {
        let options = Options::parse_from(["sdcpp-server", "--api"]);
        assert!(options.address().ip().is_loopback() && options.address().port() == 7860);
    }
}
