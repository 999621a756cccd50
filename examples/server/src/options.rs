//! What the server is started with: flags, else variables, else the file of `--config`, else defaults.

use crate::{error::ApiError, history::Keep};
use clap::{ArgAction, Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Local pictures over HTTP: A1111's API, OpenAI's, and jobs with progress.
#[derive(Debug, Clone, Default, Parser, Deserialize, Serialize)]
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
    #[arg(long, env = "MODEL_CACHE_DIR", value_name = "FOLDER", global = true)]
    pub models: Option<PathBuf>,
    /// Models that stay open while nobody draws with them, memory permitting [default: 2]
    #[arg(long, value_name = "N")]
    pub max_models: Option<usize>,
    /// Download the model to start with if it is not in the folder: a short name of
    /// `models list --presets`, or OWNER/NAME/FILE
    #[arg(long, env = "AUTO_DOWNLOAD_MODELS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub auto_download: Option<bool>,
    /// Folder of LoRAs, which prompts name as <lora:name:1>
    #[arg(long, env = "SDCPP_LORAS", value_name = "FOLDER")]
    pub loras: Option<PathBuf>,
    /// Folder of ESRGAN models, which enlarge pictures by name
    #[arg(long, env = "SDCPP_UPSCALERS", value_name = "FOLDER")]
    pub upscalers: Option<PathBuf>,
    /// Pictures drawn at once [default: 2, or 1 where memory is short]
    #[arg(long, env = "MAX_CONCURRENT_REQUESTS", value_name = "N")]
    pub max_concurrent: Option<usize>,
    /// Jobs that may wait; further ones are answered 429 [default: 64]
    #[arg(long, env = "SDCPP_QUEUE_LIMIT", value_name = "N")]
    pub queue_limit: Option<usize>,
    /// Seconds a job may take, waiting included; 0 for no limit [default: 600]
    #[arg(long, env = "SD_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub timeout_seconds: Option<u64>,
    /// Seconds that jobs may take still when the server is asked to end [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub drain_seconds: Option<u64>,
    /// Threads of each picture [default: physical cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
    /// Use the fastest settings for this machine, model and its usual size, as `sdcpp tune` measured
    /// them: of the file whose path SDCPP_TUNED is, else of the user's own [default: where SDCPP_TUNED is
    /// set]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub tuned: Option<bool>,
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
    /// Start with a key only, as where every network reaches it
    #[arg(long, env = "SDCPP_REQUIRE_API_KEY", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub require_api_key: Option<bool>,
    /// Origins whose pages may use the API from a browser, scheme included; * for all
    #[arg(long, env = "SDCPP_CORS_ALLOW_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_allow_origins: Vec<String>,
    /// Host names that the server is reached by, beside its address and localhost
    #[arg(long, env = "SDCPP_ALLOWED_HOSTS", value_delimiter = ',', value_name = "NAME")]
    pub allowed_hosts: Vec<String>,
    /// Requests that draw, a minute, of each key, or of each address where there is no key; 0 for no limit
    /// [default: 0]
    #[arg(long, env = "SDCPP_RATE_LIMIT", value_name = "N")]
    pub rate_limit: Option<u32>,
    /// Those of them that may come at once [default: those of a minute]
    #[arg(long, env = "SDCPP_RATE_BURST", value_name = "N")]
    pub rate_burst: Option<NonZeroU32>,
    /// Connections at once; further ones wait [default: 800]
    #[arg(long, env = "SDCPP_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<NonZeroU32>,
    /// Seconds for a request's head, and for each further part of its body [default: 30]
    #[arg(long, env = "SDCPP_READ_TIMEOUT_SECONDS", value_name = "SECONDS")]
    pub read_timeout_seconds: Option<NonZeroU32>,
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
    /// Bytes of given pictures, decoded, that open jobs may have together [default: 2 GiB]
    #[arg(long, value_name = "BYTES")]
    pub max_given_bytes: Option<u64>,
    /// Folder of the history: jobs and their pictures [default: sdcpp-server in the user's state folder]
    #[arg(long, env = "SDCPP_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Keep the history in memory: it ends with the program, and so do the jobs that are open
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", conflicts_with = "data")]
    pub no_history: Option<bool>,
    /// Ended jobs that are kept with their pictures [default: 1000]
    #[arg(long, value_name = "N")]
    pub keep_jobs: Option<usize>,
    /// Bytes of pictures that are kept [default: 1 GiB, in memory 256 MiB]
    #[arg(long, value_name = "BYTES")]
    pub keep_bytes: Option<u64>,
    /// Days that ended jobs are kept [default: as long as there is room]
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
    /// Answer a request that was drawn before with the same pictures, where its seed is given
    #[arg(long, env = "SDCPP_CACHE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub cache: Option<bool>,
    /// Program that looks at each picture before it is shown; docs/server.md says what it is told
    #[arg(long, env = "SDCPP_SAFETY_FILTER_COMMAND", value_name = "PROGRAM")]
    pub safety_filter_command: Option<PathBuf>,
    /// Service that looks at each picture before it is shown, as http://127.0.0.1:9000/judge
    #[arg(long, env = "SDCPP_SAFETY_FILTER_URL", value_name = "URL")]
    pub safety_filter_url: Option<String>,
    /// error, warn, info, debug or trace, also by module [default: info,sdcpp::engine=warn]
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Lines of the log as text, or as one JSON object each [default: text]
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Taken for A1111's sake: the API is always on
    #[arg(long, action = ArgAction::SetTrue)]
    #[serde(skip)]
    pub api: bool,
}

/// What is wrong with a file, in one line and without the line itself: the error goes to the log, and a
/// key may stand there.
fn mistake(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    // A list may go on for lines.
    let option = text.lines().take(number).filter(|line| line.contains('=')).last();
    let what = match option.is_some_and(|line| line.contains("key")) {
        true => "the keys are not as expected: api_key = [\"…\"]",
        false => error.message(),
    };
    format!("line {number}: {}", what.replace('\n', "; "))
}

impl Options {
    /// These of arguments and variables, with those of the file that they name.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn with_file(self) -> Result<Self, String> {
        match &self.config {
            Some(path) => self.clone().above(Self::read(path)?),
            None => Ok(self),
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text)
            .map_err(|error| format!("{}: {}", path.display(), mistake(&text, &error)))
    }

    /// These, above those of the file: what is given is given by flag or variable.
    fn above(self, file: Self) -> Result<Self, String> {
        let object = |options: &Self| match serde_json::to_value(options) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err("options are no object".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let mut all = object(&file)?;
        let nothing =
            |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        all.extend(object(&self)?.into_iter().filter(|(_, value)| !nothing(value)));
        let all = serde_json::from_value(Value::Object(all)).map_err(|error| error.to_string())?;
        Ok(Self { config: self.config, api: self.api, ..all })
    }

    /// Lists without spaces around their values. An empty key would let everybody in, so it is refused, as
    /// is none where one is demanded.
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
        if self.require_api_key == Some(true) && self.api_keys.is_empty() {
            return Err(ApiError::invalid(
                "api-key",
                "not given",
                "at least one, as require-api-key is set",
            )
            .advise("start it with --api-key KEY, or set SDCPP_API_KEY"));
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

    /// Whether pages of this origin may use the API.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        self.cors_allow_origins.iter().any(|allowed| allowed == "*" || allowed == origin)
    }

    pub(crate) fn queue_limit(&self) -> usize {
        self.queue_limit.unwrap_or(64)
    }

    /// Whether measured settings are used.
    pub(crate) fn uses_tuned(&self) -> bool {
        let set = || std::env::var_os("SDCPP_TUNED").is_some_and(|value| !value.is_empty());
        self.tuned.unwrap_or_else(set)
    }

    pub(crate) fn time_limit(&self) -> Option<Duration> {
        match self.timeout_seconds.unwrap_or(600) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// How long the head of a request may take, and each further part of its body.
    pub fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_seconds.map_or(30, |seconds| seconds.get().into()))
    }

    /// Connections at once.
    pub fn max_connections(&self) -> usize {
        self.max_connections.map_or(800, |most| most.get() as usize)
    }

    /// How long jobs may take still when the server is asked to end.
    pub fn drain_limit(&self) -> Duration {
        Duration::from_secs(self.drain_seconds.unwrap_or(30))
    }

    pub(crate) fn max_models(&self) -> usize {
        self.max_models.unwrap_or(2).max(1)
    }

    /// Where the history is; none for memory.
    ///
    /// # Errors
    /// There is no folder for the state of this user's programs, and none is given.
    pub(crate) fn data_folder(&self) -> Result<Option<PathBuf>, ApiError> {
        if self.no_history == Some(true) {
            return Ok(None);
        }
        let own = || {
            let state = dirs::state_dir().or_else(dirs::data_local_dir)?;
            Some(state.join("sdcpp-server"))
        };
        let folder = self.data.clone().or_else(own);
        folder.map(Some).ok_or_else(|| {
            let allowed = "--data FOLDER, or --no-history, where the user has no home folder";
            ApiError::invalid("data", "not set", allowed)
        })
    }

    /// What is kept of the jobs that ended.
    pub(crate) fn keep(&self) -> Keep {
        let bytes = if self.no_history == Some(true) { 256 << 20 } else { 1 << 30 };
        Keep {
            jobs: self.keep_jobs.unwrap_or(1000),
            bytes: self.keep_bytes.unwrap_or(bytes),
            age: self.keep_days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
        }
    }

    pub(crate) fn max_given_bytes(&self) -> u64 {
        self.max_given_bytes.unwrap_or(2 << 30)
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
        let options = given.above(Options::read(&path).unwrap()).unwrap();
        assert_eq!(options.address().to_string(), "0.0.0.0:9001");
        assert_eq!(
            (options.queue_limit(), options.api_keys.as_slice()),
            (3, ["a".to_owned()].as_slice())
        );
        assert_eq!(options.time_limit(), Some(Duration::from_secs(600)));
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
        let demanding = Options { require_api_key: Some(true), ..Options::default() };
        assert!(demanding.checked().unwrap_err().message.starts_with("api-key is not given"));
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, "prot = 9000\n").unwrap();
        let error = Options::read(&path).unwrap_err();
        assert!(error.contains("server.toml") && error.contains("prot"), "{error}");
        std::fs::write(&path, "port = 9000\n\nmax_side = \"many\"\n").unwrap();
        let error = Options::read(&path).unwrap_err();
        assert!(error.contains("line 3: ") && error.contains("many"), "{error}");
        for line in [
            "api_key = \"sesame\"",
            "api_key = [\"sesame\"",
            "api_key = sesame",
            "api_keys = [\"sesame\"]",
        ] {
            std::fs::write(&path, format!("port = 1\n{line}\n")).unwrap();
            let error = Options::read(&path).unwrap_err();
            assert!(error.contains("line 2: ") && !error.contains("sesame"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn the_local_machine_alone_is_the_default() {
        let options = Options::parse_from(["sdcpp-server", "--api"]);
        assert!(options.address().ip().is_loopback() && options.address().port() == 7860);
    }
}
