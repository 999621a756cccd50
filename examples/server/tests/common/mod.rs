//! A service that a test has to itself, on a port of its own, and a client for it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Parser;
use sdcpp_server::{Options, Service, app, listen, serve};
use serde_json::Value;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use ureq::{Agent, Body, http::Response};

/// A service, which ends with this.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) service: Service,
    agent: Agent,
    // Ends the service's tasks when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

/// An answer: its status, the headers, and the body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        let text = || String::from_utf8_lossy(&self.bytes).into_owned();
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {}", text()))
    }

    /// The body of an answer that must be good.
    pub(crate) fn good(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.json());
        self.json()
    }

    fn new(mut response: Response<Body>) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap(),
        }
    }
}

impl Server {
    /// With these arguments, on a free port.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut all = vec!["sdcpp-server", "--port", "0"];
        if !arguments.contains(&"--data") {
            all.push("--no-history");
        }
        all.extend(arguments);
        Self::serve(Service::start(Options::parse_from(all)).unwrap())
    }

    /// This service, on a free port.
    pub(crate) fn serve(service: Service) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(service.begin()).unwrap();
        let routes = app(service.clone());
        let listener = runtime.block_on(async { listen(service.options().address()) }).unwrap();
        let address = listener.local_addr().unwrap();
        let served = service.clone();
        runtime.spawn(async move {
            serve(listener, &served, routes, std::future::pending()).await;
        });
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        Self { address, service, agent, _runtime: runtime }
    }

    /// Draws patterns.
    pub(crate) fn mock(arguments: &[&str]) -> Self {
        Self::start(&[&["--mock"][..], arguments].concat())
    }

    /// Draws with the demo model.
    pub(crate) fn demo(arguments: &[&str]) -> Self {
        let model = demo("demo_q8_0.gguf");
        // The preset beside it names its decoder.
        let own = ["--model", model.to_str().unwrap(), "--threads", "1"];
        Self::start(&[&own[..], arguments].concat())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::new(self.agent.get(self.url(path)).call().unwrap())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        Answer::new(self.agent.delete(self.url(path)).call().unwrap())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let request =
            headers.iter().fold(self.agent.post(self.url(path)), |request, (name, value)| {
                request.header(*name, *value)
            });
        Answer::new(request.send_json(body).unwrap())
    }

    /// Waits until a job has ended; how it did.
    pub(crate) fn ended(&self, job: &Value) -> Value {
        let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
        let start = Instant::now();
        loop {
            let now = self.get(&path).good();
            if !["queued", "running"].contains(&now["status"].as_str().unwrap()) {
                return now;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "{now}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A file of the demo model.
pub(crate) fn demo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}

/// A square picture of one colour, as base64 of a PNG.
pub(crate) fn png(colour: [u8; 3], side: u32) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(side, side, image::Rgb(colour))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    BASE64_STANDARD.encode(png.into_inner())
}
