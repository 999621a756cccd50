//! OpenAI's image API, and the two small services.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod common;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use common::Server;
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use serde_json::{Value, json};
use std::io::Cursor;

fn bytes(data: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(data["b64_json"].as_str().unwrap()).unwrap()
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn pictures_are_generated_in_each_form() {
    let server = Server::mock(&[]);
    let body =
        json!({ "prompt": "x", "model": "gpt-image-1", "n": 2, "size": "64x128", "seed": 5 });
    let answer = server.post("/v1/images/generations", &body).good();
    assert_eq!((answer["data"].as_array().unwrap().len(), &answer["mock"]), (2, &true.into()));
    assert!(answer["created"].as_u64().unwrap() > 1_700_000_000);
    let picture = image::load_from_memory(&bytes(&answer["data"][1])).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 128));
    for (name, format) in [("jpeg", ImageFormat::Jpeg), ("webp", ImageFormat::WebP)] {
        let mut body = body.clone();
        body["output_format"] = json!(name);
        let answer = server.post("/v1/images/generations", &body).good();
        assert_eq!(image::guess_format(&bytes(&answer["data"][0])).unwrap(), format);
    }
    let mut by_url = body.clone();
    by_url["response_format"] = json!("url");
    let answer = server.post("/v1/images/generations", &by_url).good();
    let url = answer["data"][0]["url"].as_str().unwrap();
    let path = url.strip_prefix(&format!("http://{}", server.address)).unwrap();
    assert_eq!(server.get(path).headers["content-type"], "image/png");

    for (key, value) in [("size", json!("big")), ("n", json!(0)), ("output_format", json!("gif"))] {
        let mut body = body.clone();
        body[key] = value;
        let refused = server.post("/v1/images/generations", &body);
        let error = &refused.json()["error"];
        assert_eq!((refused.status, &error["type"]), (400, &"invalid_request_error".into()));
    }
    let models = server.get("/v1/models").good();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&"list".into(), &"mock".into()));
}

/// A form of a file or a text for each part.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    ("multipart/form-data; boundary=edge".to_owned(), body)
}

fn edit(server: &Server, parts: &[(&str, Option<&str>, &[u8])]) -> (u16, Value) {
    let (kind, body) = form(parts);
    let mut response = ureq::post(server.url("/v1/images/edits"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Content-Type", kind)
        .send(&body[..])
        .unwrap();
    (response.status().as_u16(), response.body_mut().read_json().unwrap())
}

#[test]
fn the_transparent_part_of_a_mask_is_drawn_anew() {
    let server = Server::demo(&[]);
    let blue = png(RgbaImage::from_pixel(128, 128, Rgba([0, 0, 255, 255])));
    // Its left half.
    let mask =
        png(RgbaImage::from_fn(128, 128, |x, _| Rgba([0, 0, 0, if x < 64 { 0 } else { 255 }])));
    let parts: [(&str, Option<&str>, &[u8]); 5] = [
        ("image", Some("a.png"), &blue),
        ("mask", Some("m.png"), &mask),
        ("prompt", None, b"a red circle"),
        ("seed", None, b"42"),
        ("background", None, b"opaque"),
    ];
    let (status, answer) = edit(&server, &parts);
    assert_eq!(status, 200, "{answer}");
    let drawn = image::load_from_memory(&bytes(&answer["data"][0])).unwrap().into_rgb8();
    assert_eq!(drawn.dimensions(), (128, 128));
    let far = |x: std::ops::Range<u32>| {
        let sum: u64 = x
            .flat_map(|x| (0..128).map(move |y| (x, y)))
            .map(|(x, y)| {
                let pixel = drawn.get_pixel(x, y).0;
                u64::from(pixel[0]) + u64::from(pixel[1]) + u64::from(255 - pixel[2])
            })
            .sum();
        sum / (64 * 128)
    };
    let (left, right) = (far(0..64), far(64..128));
    assert!(left > 2 * right + 50, "left {left}, right {right}");

    let (status, answer) = edit(&server, &[("prompt", None, b"x")]);
    assert_eq!(
        (status, answer["error"]["message"].as_str().unwrap().contains("image is missing")),
        (400, true)
    );
    let (status, answer) =
        edit(&server, &[("image", Some("a"), b"no picture"), ("prompt", None, b"x")]);
    assert_eq!(status, 400, "{answer}");
}

/// Width and height are read before anything is allocated for them.
#[test]
fn a_decompression_bomb_is_refused() {
    let server = Server::mock(&[]);
    let mut bomb = png(RgbaImage::new(1, 1));
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let checksum = crc(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    let (status, answer) =
        edit(&server, &[("image", Some("a.png"), &bomb), ("prompt", None, b"x")]);
    assert_eq!(status, 400, "{answer}");
    let text = BASE64_STANDARD.encode(&bomb);
    let refused =
        server.post("/sdapi/v1/img2img", &json!({ "prompt": "x", "init_images": [text] }));
    assert_eq!(refused.status, 400);
    let told = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(told.starts_with("init_images") && told.contains("up to 4096 pixels"), "{told}");
}

/// The checksum of PNG's chunks.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn the_small_services_answer_as_their_clients_expect() {
    let server = Server::mock(&[]);
    let body = json!({ "prompt": "x", "num_inference_steps": 4, "guidance_scale": 2.5, "width": 64, "height": 72, "seed": 7 });
    let answer = server.post("/image", &body).good();
    assert_eq!(
        (&answer["provider"], &answer["mock"], &answer["seed"]),
        (&"mock".into(), &true.into(), &7.into())
    );
    let picture = server.get(answer["image_url"].as_str().unwrap());
    assert_eq!(image::load_from_memory(&picture.bytes).unwrap().height(), 72);
    let answer = server.post("/generate", &json!({ "prompt": "x" })).good();
    assert_eq!(
        (&answer["metadata"]["steps"], &answer["metadata"]["width"]),
        (&20.into(), &512.into())
    );
    assert!(!answer["image_base64"].as_str().unwrap().is_empty());
    for (path, body, part) in [
        ("/image", json!({ "prompt": "x", "width": 65 }), "width is 65"),
        ("/image", json!({ "prompt": "x", "guidance_scale": 31 }), "guidance_scale is 31"),
        ("/image", json!({}), "prompt"),
        ("/generate", json!({ "prompt": "" }), "characters is 0"),
        ("/generate", json!({ "prompt": "x", "steps": 51 }), "steps is 51"),
        ("/generate", json!({ "prompt": "x", "height": 300 }), "height is 300"),
        ("/generate", json!({ "prompt": "x", "seed": 4_294_967_296_u64 }), "seed is 4294967296"),
    ] {
        let refused = server.post(path, &body);
        let told = refused.json();
        assert_eq!(refused.status, 400, "{path} {body}");
        assert!(told["error"].as_str().unwrap().contains(part), "{told}");
        assert!(told["error_code"].as_str().unwrap().starts_with("INVALID_"), "{told}");
    }
}
