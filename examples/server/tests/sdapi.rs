//! A1111's API.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::Server;
use image::RgbImage;
use serde_json::{Value, json};
use std::{
    io::Write,
    net::TcpStream,
    time::{Duration, Instant},
};

fn picture(answer: &Value, index: usize) -> RgbImage {
    let png = BASE64_STANDARD.decode(answer["images"][index].as_str().unwrap()).unwrap();
    image::load_from_memory(&png).unwrap().into_rgb8()
}

fn circle() -> Value {
    json!({
        "prompt": "a red circle", "width": 64, "height": 64, "steps": 3, "cfg_scale": 3,
        "sampler_name": "Euler", "seed": 42, "batch_size": 2, "styles": null, "tiling": false,
    })
}

#[test]
fn pictures_come_with_what_was_drawn() {
    let server = Server::demo(&[]);
    let answer = server.post("/sdapi/v1/txt2img", &circle()).good();
    assert_eq!(picture(&answer, 1).dimensions(), (64, 64));
    assert_eq!(answer["parameters"]["prompt"], "a red circle");
    let info: Value = serde_json::from_str(answer["info"].as_str().unwrap()).unwrap();
    assert_eq!(info["all_seeds"], json!([42, 43]));
    assert_eq!(
        (&info["sampler_name"], &info["sd_model_name"]),
        (&"Euler".into(), &"demo_q8_0".into())
    );
    let told = info["infotexts"][0].as_str().unwrap();
    assert!(told.contains("Seed: 42,"), "{told}");

    // Drawn over, with next to nothing changed; and a part of it.
    let first = answer["images"][0].clone();
    let mut over = circle();
    over["init_images"] = json!([first]);
    over["denoising_strength"] = json!(0.4);
    let again = server.post("/sdapi/v1/img2img", &over).good();
    assert_eq!(picture(&again, 0).dimensions(), (64, 64));
    assert!(again["parameters"]["init_images"].is_null(), "pictures are not sent back");
    over["init_images"] = json!([]);
    let refused = server.post("/sdapi/v1/img2img", &over);
    assert_eq!(refused.status, 400);
    assert!(refused.json()["detail"].as_str().unwrap().contains("init_images"));
    over["init_images"] = json!(["data:image/png;base64,AAAA"]);
    assert_eq!(server.post("/sdapi/v1/img2img", &over).status, 400);
}

/// What the mask and its blur do not reach is the original, byte by byte.
#[test]
fn a_masked_part_is_drawn_anew_and_the_rest_is_kept() {
    let server = Server::demo(&[]);
    let blue = RgbImage::from_pixel(192, 128, image::Rgb([0, 0, 255]));
    let base64 = |picture: image::DynamicImage| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        BASE64_STANDARD.encode(bytes.into_inner())
    };
    // Of another size than the picture, as some clients send it.
    let mask =
        image::GrayImage::from_fn(96, 64, |x, _| image::Luma([if x < 40 { 255 } else { 0 }]));
    let mut body = circle();
    body["batch_size"] = json!(1);
    body["init_images"] = json!([base64(blue.clone().into())]);
    body["mask"] = json!(base64(mask.into()));
    body["denoising_strength"] = json!(1.0);
    let whole = |answer: &Value| picture(answer, 0);
    for full in [true, false] {
        body["inpaint_full_res"] = json!(full);
        (body["width"], body["height"]) =
            if full { (json!(64), json!(64)) } else { (json!(192), json!(128)) };
        let drawn = whole(&server.post("/sdapi/v1/img2img", &body).good());
        assert_eq!(drawn.dimensions(), (192, 128), "{full}");
        let kept = drawn.enumerate_pixels().filter(|(x, ..)| *x >= 110);
        assert!(
            kept.clone().count() > 0 && kept.clone().all(|(.., p)| p.0 == [0, 0, 255]),
            "{full}"
        );
        let changed = drawn.enumerate_pixels().filter(|(x, _, p)| *x < 60 && p.0 != [0, 0, 255]);
        assert!(changed.count() > 60 * 128 / 2, "{full}");
    }
}

#[test]
fn lists_have_what_clients_read() {
    let server = Server::demo(&[]);
    let samplers = server.get("/sdapi/v1/samplers").good();
    assert!(samplers.as_array().unwrap().iter().any(|sampler| sampler["name"] == "DPM++ 2M"));
    let schedulers = server.get("/sdapi/v1/schedulers").good();
    assert_eq!(schedulers[0]["name"], "automatic");
    let models = server.get("/sdapi/v1/sd-models").good();
    assert_eq!(
        (&models[0]["model_name"], &models[0]["filename"]),
        (&"demo_q8_0".into(), &"demo_q8_0".into())
    );
    let options = server.get("/sdapi/v1/options").good();
    assert_eq!(options["sd_model_checkpoint"], "demo_q8_0");
    assert!(
        server
            .post("/sdapi/v1/options", &json!({ "sd_model_checkpoint": "demo_q8_0" }))
            .good()
            .is_null()
    );
    let refused =
        server.post("/sdapi/v1/options", &json!({ "sd_model_checkpoint": "/etc/passwd" }));
    assert_eq!(refused.status, 404);
    let told = server.get("/sdapi/v1/system-info").good();
    assert_eq!((&told["sd_models"], &told["mock"]), (&json!(["demo_q8_0"]), &json!(false)));
    assert!(told["version"].as_str().unwrap().starts_with("sdcpp-server "));
    for empty in
        ["face-restorers", "hypernetworks", "prompt-styles", "script-info", "realesrgan-models"]
    {
        assert_eq!(server.get(&format!("/sdapi/v1/{empty}")).good(), json!([]), "{empty}");
    }
    // A probe for another program.
    assert_eq!(server.get("/system_stats").status, 404);
}

/// The oldest running job, once it samples.
fn sampling(server: &Server) -> Value {
    let begin = Instant::now();
    loop {
        let progress = server.get("/sdapi/v1/progress").good();
        if progress["state"]["sampling_step"].as_u64().unwrap() > 0 {
            return progress;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{progress}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn quiet(server: &Server) {
    let begin = Instant::now();
    loop {
        let progress = server.get("/sdapi/v1/progress").good();
        if progress["progress"] == 0.0 && progress["state"]["job_count"] == 0 {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{progress}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn progress_is_told_and_an_interrupt_ends_it() {
    let server = Server::demo(&[]);
    let mut long = circle();
    long["steps"] = json!(150);
    std::thread::scope(|scope| {
        let drawing = scope.spawn(|| server.post("/sdapi/v1/txt2img", &long));
        let progress = sampling(&server);
        assert!(progress["progress"].as_f64().unwrap() > 0.0);
        assert_eq!(progress["state"]["sampling_steps"], 150);
        server.post("/sdapi/v1/interrupt", &json!({})).good();
        let answer = drawing.join().unwrap();
        assert_eq!((answer.status, &answer.json()["error"]), (409, &"cancelled".into()));
    });
    quiet(&server);
}

/// A client that has gone gets no picture, and holds no model.
#[test]
fn who_hangs_up_has_the_job_stopped() {
    let server = Server::demo(&["--max-concurrent", "1"]);
    let mut long = circle();
    long["steps"] = json!(150);
    let body = long.to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    write!(
        stream,
        "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    sampling(&server);
    drop(stream);
    quiet(&server);
    assert_eq!(server.get("/api/v1/jobs").good()[0]["error"]["code"], "cancelled");
}

#[test]
fn a_picture_says_how_it_was_made() {
    let server = Server::demo(&[]);
    let answer = server.post("/sdapi/v1/txt2img", &circle()).good();
    let image = format!("data:image/png;base64,{}", answer["images"][0].as_str().unwrap());
    let told = server.post("/sdapi/v1/png-info", &json!({ "image": image })).good();
    assert_eq!(told["items"]["parameters"], told["info"]);
    assert!(told["info"].as_str().unwrap().starts_with("a red circle\nSteps: 3, Sampler: Euler"));
    let values = &told["parameters"];
    assert_eq!(
        (&values["Seed"], &values["Sampler"], &values["Size-1"]),
        (&42.into(), &"Euler".into(), &64.into())
    );
    assert_eq!(values["Model"], "demo_q8_0");
    assert_eq!(server.post("/sdapi/v1/png-info", &json!({ "image": "bm8=" })).status, 400);
    let memory = server.get("/sdapi/v1/memory").good();
    assert!(memory["ram"]["used"].as_u64().unwrap() > 1 << 20, "{memory}");
    assert_eq!(server.get("/sdapi/v1/cmd-flags").good()["listen"], false);
}
