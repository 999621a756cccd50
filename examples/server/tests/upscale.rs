//! Enlarging pictures, as A1111's clients ask for it, and as `/api/v1/upscale`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::Server;
use image::{DynamicImage, ImageFormat, RgbImage};
use sdcpp_test_support::{Format, WeightType, esrgan};
use serde_json::{Value, json};
use std::{
    io::{Cursor, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const SINGLE: &str = "/sdapi/v1/extra-single-image";
const BATCH: &str = "/sdapi/v1/extra-batch-images";

fn base64(picture: impl Into<DynamicImage>) -> String {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    BASE64_STANDARD.encode(bytes.into_inner())
}

fn picture(base64: &Value) -> RgbImage {
    let bytes = BASE64_STANDARD.decode(base64.as_str().unwrap()).unwrap();
    image::load_from_memory_with_format(&bytes, ImageFormat::Png).unwrap().into_rgb8()
}

/// Red at the left, blue at the right, and darker downwards.
fn colours(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let dark = (y * 200 / height) as u8;
        image::Rgb(if x < width / 2 { [255 - dark, 0, 0] } else { [0, 0, 255 - dark] })
    })
}

fn body(of: &RgbImage, more: Value) -> Value {
    let mut body = json!({ "image": base64(of.clone()) });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// A folder with models that enlarge 2 and 4 times.
fn models() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for scale in [2, 4] {
        let file = esrgan(scale, Format::Gguf(WeightType::F16)).unwrap();
        std::fs::copy(file, folder.path().join(format!("tiny-{scale}x.gguf"))).unwrap();
    }
    folder
}

#[test]
fn without_a_model_pictures_have_the_size_that_is_asked_for() {
    let server = Server::mock(&[]);
    let small = colours(40, 30);
    for (more, size) in [
        (json!({}), (40, 30)),
        (json!({ "upscaler_1": "None", "upscaler_2": "Lanczos" }), (40, 30)),
        (json!({ "upscaler_1": "Lanczos" }), (80, 60)),
        (json!({ "upscaler_1": "Nearest", "upscaling_resize": 1.5 }), (60, 45)),
        (json!({ "upscaler_1": "Lanczos", "upscaling_resize": 0.5, "upscaler_2": null }), (20, 15)),
        (
            json!({ "upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 50 }),
            (100, 50),
        ),
        (
            json!({ "upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 100,
                    "upscaling_resize_h": 50, "upscaling_crop": false }),
            (100, 75),
        ),
    ] {
        let answer = server.post(SINGLE, &body(&small, more.clone())).good();
        let large = picture(&answer["image"]);
        assert_eq!(large.dimensions(), size, "{more}");
        // It is the picture still.
        let (left, right) =
            (large.get_pixel(size.0 / 8, 1).0, large.get_pixel(size.0 * 7 / 8, 1).0);
        assert!(left[0] > 200 && left[2] < 30 && right[2] > 200, "{more}: {left:?} {right:?}");
    }
    let same = server.post(SINGLE, &body(&small, json!({ "gfpgan_visibility": 0 }))).good();
    assert!(picture(&same["image"]) == small, "None changes nothing");
    let hidden = body(&small, json!({ "upscaler_1": "Nearest", "show_extras_results": false }));
    let hidden = server.post(SINGLE, &hidden).good();
    assert_eq!(hidden["image"], "");
    assert_eq!(
        hidden["html_info"],
        "<p>Postprocess upscale by: 2, Postprocess upscaler: Nearest</p>"
    );
}

#[test]
fn a_second_upscaler_is_laid_over_the_first() {
    let server = Server::mock(&[]);
    let small = colours(16, 16);
    let with = |share: f64| {
        let both = json!({ "upscaler_1": "Nearest", "upscaler_2": "Lanczos", "extras_upscaler_2_visibility": share });
        picture(&server.post(SINGLE, &body(&small, both)).good()["image"])
    };
    let alone = |name: &str| {
        picture(&server.post(SINGLE, &body(&small, json!({ "upscaler_1": name }))).good()["image"])
    };
    let (nearest, lanczos, half) = (alone("Nearest"), alone("Lanczos"), with(0.5));
    assert!(nearest != lanczos && with(0.0) == nearest && with(1.0) == lanczos);
    for ((half, a), b) in half.iter().zip(nearest.iter()).zip(lanczos.iter()) {
        let mean = (f32::from(*a) + f32::from(*b)) / 2.0;
        assert!((f32::from(*half) - mean).abs() <= 0.5, "{half} of {a} and {b}");
    }
}

#[test]
fn what_a_file_says_of_how_it_was_made_stays() {
    let server = Server::mock(&[]);
    let drawn = server.post(
        "/sdapi/v1/txt2img",
        &json!({ "prompt": "a cät", "width": 64, "height": 64, "steps": 1 }),
    );
    let drawn = drawn.good()["images"][0].clone();
    let large = json!({ "image": drawn, "upscaler_1": "Lanczos" });
    let large = server.post(SINGLE, &large).good()["image"].clone();
    let text = |image: &Value| {
        server.post("/sdapi/v1/png-info", &json!({ "image": image })).good()["info"].clone()
    };
    assert!(text(&large).as_str().unwrap().starts_with("a cät\n"));
    assert_eq!(text(&large), text(&drawn));
}

#[test]
fn a_model_enlarges_as_the_crate_does() {
    let folder = models();
    let server = Server::demo(&["--upscalers", folder.path().to_str().unwrap()]);
    let listed = server.get("/sdapi/v1/upscalers").good();
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|u| u["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["None", "Lanczos", "Nearest", "tiny-2x", "tiny-4x"]);
    assert_eq!((&listed[4]["scale"], &listed[4]["model_path"]), (&json!(4), &json!("tiny-4x")));
    assert_eq!(
        server.get("/sdapi/v1/realesrgan-models").good(),
        json!([{ "name": "tiny-2x", "path": "tiny-2x", "scale": 2 }, { "name": "tiny-4x", "path": "tiny-4x", "scale": 4 }])
    );

    let small = colours(24, 20);
    let expected = |scale: usize, times: u32| {
        let file = esrgan(scale, Format::Gguf(WeightType::F16)).unwrap();
        let config = sdcpp::UpscalerConfig::new(file).threads(1);
        let mut upscaler = sdcpp::Upscaler::new(config).unwrap();
        (0..times)
            .fold(small.clone(), |picture, _| upscaler.upscale(picture).unwrap().image.to_rgb())
    };
    let by = |name: &str, factor: u32| {
        let more = json!({ "upscaler_1": name, "upscaling_resize": factor });
        picture(&server.post(SINGLE, &body(&small, more)).good()["image"])
    };
    let four = expected(4, 1);
    assert!(by("tiny-4x", 4) == four);
    // Another model in its place, the same again, and the same twice for what it cannot do at once.
    assert!(by("tiny-2x", 2) == expected(2, 1));
    assert!(by("tiny-2x.gguf", 2) == expected(2, 1));
    assert!(by("tiny-2x", 4) == expected(2, 2));
    assert_eq!(by("tiny-4x", 3).dimensions(), (72, 60));

    let native = json!({ "image": base64(small.clone()), "upscaler": "tiny-4x", "scale": 4 });
    let native = server.post("/api/v1/upscale", &native);
    assert_eq!(
        (native.status, &native.headers["content-type"]),
        (200, &"image/png".parse().unwrap())
    );
    assert!(image::load_from_memory(&native.bytes).unwrap().into_rgb8() == four);

    let batch = json!({
        "upscaler_1": "tiny-2x",
        "imageList": [{ "data": base64(small.clone()), "name": "a" }, { "data": base64(colours(8, 8)), "name": "b" }],
    });
    let batch = server.post(BATCH, &batch).good();
    assert!(picture(&batch["images"][0]) == expected(2, 1));
    assert_eq!(picture(&batch["images"][1]).dimensions(), (16, 16));

    // As the second pass of a picture.
    let drawn = |upscaler: &str| {
        let body = json!({ "prompt": "a red circle", "width": 64, "height": 64, "steps": 2, "cfg_scale": 3, "seed": 42,
                           "enable_hr": true, "hr_scale": 2, "hr_upscaler": upscaler, "denoising_strength": 0.5 });
        server.post("/sdapi/v1/txt2img", &body)
    };
    let by_model = drawn("tiny-4x").good();
    assert_eq!(picture(&by_model["images"][0]).dimensions(), (128, 128));
    let told = by_model["info"].as_str().unwrap();
    assert!(
        told.contains("Hires upscaler: tiny-4x") && !told.contains(folder.path().to_str().unwrap()),
        "{told}"
    );
    assert!(picture(&by_model["images"][0]) != picture(&drawn("None").good()["images"][0]));

    // Names are no paths, and errors have none.
    for name in [folder.path().join("tiny-4x.gguf").to_str().unwrap(), "../tiny-4x", "R-ESRGAN 4x+"]
    {
        let refused = server.post(SINGLE, &body(&small, json!({ "upscaler_1": name })));
        let told = refused.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(refused.status, 400, "{told}");
        assert!(told.ends_with("allowed: None, Lanczos, Nearest, tiny-2x, tiny-4x"), "{told}");
        assert_eq!(drawn(name).status, 400);
    }
}

#[test]
fn what_is_wrong_or_too_large_is_refused_in_words() {
    let server = Server::mock(&["--max-batch", "2", "--max-side", "256"]);
    let small = colours(8, 8);
    let many: Vec<_> = (0..3).map(|_| json!({ "data": base64(small.clone()) })).collect();
    let large: Vec<_> = (0..2).map(|_| json!({ "data": base64(colours(100, 300)) })).collect();
    for (path, body, start) in [
        (
            SINGLE,
            body(&small, json!({ "upscaler_1": "Lanczos", "upscaling_resize": 513 })),
            "the enlarged picture's side is 4104",
        ),
        (
            SINGLE,
            body(&small, json!({ "codeformer_visibility": 0.5 })),
            "codeformer_visibility is 0.5; allowed: 0",
        ),
        (SINGLE, body(&RgbImage::new(4097, 1), json!({})), "image is 4097x1"),
        (SINGLE, json!({ "image": "AAAA", "upscaler_1": "Lanczos" }), "image is "),
        (SINGLE, json!({ "upscaler_1": "Lanczos" }), "the body is not what is expected"),
        (BATCH, json!({ "imageList": many }), "the number of pictures in imageList is 3"),
        (
            BATCH,
            json!({ "imageList": large, "upscaler_1": "Lanczos" }),
            "the pixels of all pictures is 240000",
        ),
        (BATCH, json!({ "imageList": [{ "data": "%" }] }), "imageList[0].data is "),
    ] {
        let refused = server.post(path, &body);
        let told = refused.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(refused.status, 400, "{told}");
        assert!(told.starts_with(start), "{told}");
    }
    let native =
        server.post("/api/v1/upscale", &json!({ "image": base64(small), "upscaler": "x" }));
    assert_eq!((native.status, &native.json()["code"]), (400, &json!("invalid_parameter")));
}

/// What takes minutes on one thread.
fn long() -> Value {
    body(&colours(1024, 1024), json!({ "upscaler_1": "tiny-4x", "upscaling_resize": 4 }))
}

/// Sends a request, and reads no answer.
fn send(server: &Server, body: &Value) -> TcpStream {
    let body = body.to_string();
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST {SINGLE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

/// Requests that wait or run.
fn open(server: &Server) -> u32 {
    let metrics = String::from_utf8(server.get("/metrics").bytes).unwrap();
    let open = metrics.lines().find_map(|line| line.strip_prefix("sdcpp_upscales_open "));
    open.unwrap().parse().unwrap()
}

#[test]
fn one_works_others_wait_and_who_hangs_up_is_stopped() {
    let folder = models();
    let server =
        Server::demo(&["--queue-limit", "0", "--upscalers", folder.path().to_str().unwrap()]);
    let quick = body(&colours(8, 8), json!({ "upscaler_1": "Nearest" }));
    let stream = send(&server, &long());
    let begin = Instant::now();
    while open(&server) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "it has not come");
    }
    let refused = server.post(SINGLE, &quick);
    assert_eq!((refused.status, &refused.json()["error"]), (429, &json!("queue_full")));
    assert!(refused.headers.contains_key("retry-after"));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(open(&server), 1, "it works still");
    drop(stream);
    let gone = Instant::now();
    while open(&server) == 1 {
        assert!(gone.elapsed() < Duration::from_secs(10), "it was not stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    println!("stopped after {:?}", gone.elapsed());
    server.post(SINGLE, &quick).good();
}

#[test]
fn it_shows_as_progress_and_is_interrupted() {
    let folder = models();
    let server = Server::demo(&["--upscalers", folder.path().to_str().unwrap()]);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| server.post(SINGLE, &long()));
        let begin = Instant::now();
        let progress = loop {
            let progress = server.get("/sdapi/v1/progress").good();
            if progress["state"]["job_count"] == 1 {
                break progress;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "{progress}");
        };
        assert!(
            progress["progress"].as_f64().unwrap() > 0.0 && progress["textinfo"] == "upscaling"
        );
        server.post("/sdapi/v1/interrupt", &json!({})).good();
        let stopped = long.join().unwrap();
        assert_eq!((stopped.status, &stopped.json()["error"]), (409, &json!("cancelled")));
    });
    let quiet = server.get("/sdapi/v1/progress").good();
    assert!(quiet["progress"] == 0.0 && quiet["state"]["job_count"] == 0, "{quiet}");
}

#[test]
fn the_time_limit_stops_the_engine() {
    let folder = models();
    let server =
        Server::demo(&["--timeout-seconds", "2", "--upscalers", folder.path().to_str().unwrap()]);
    let begin = Instant::now();
    let late = server.post(SINGLE, &long());
    assert_eq!((late.status, &late.json()["error"]), (408, &json!("deadline_exceeded")));
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
    // The next one has the turn at once, and the model is of use again.
    let next = body(&colours(8, 8), json!({ "upscaler_1": "tiny-4x", "upscaling_resize": 4 }));
    assert_eq!(picture(&server.post(SINGLE, &next).good()["image"]).dimensions(), (32, 32));
}
