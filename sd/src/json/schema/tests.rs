use crate::{arbitrary, json::Object, *};
use jsonschema::Validator;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

static IMAGE: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&ImageRequest::json_schema()).unwrap());
static VIDEO: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&VideoRequest::json_schema()).unwrap());

/// By way of text, as clients do: a `Value` of an f32 is not what is written.
fn json_of(value: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn requests_follow_the_schema(request in arbitrary::image_request()) {
        let json = json_of(&request);
        prop_assert!(IMAGE.validate(&json).is_ok(), "{:?}", IMAGE.validate(&json));
    }

    #[test]
    fn video_requests_follow_the_schema(request in arbitrary::video_request()) {
        let json = json_of(&request);
        prop_assert!(VIDEO.validate(&json).is_ok(), "{:?}", VIDEO.validate(&json));
    }
}

#[test]
fn the_schema_is_one() {
    for schema in [ImageRequest::json_schema(), VideoRequest::json_schema()] {
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        let text = schema.to_string();
        assert!(!text.contains("$ref") && !text.contains("](") && !text.contains("```"), "{text}");
    }
}

#[test]
fn the_schema_has_every_key_described() {
    fn keys<T: Object>(schema: &Value) {
        let properties = schema["properties"].as_object().unwrap();
        let keys: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        assert_eq!(keys, T::keys().into_iter().collect());
        for (key, property) in properties {
            let text = property["description"].as_str().unwrap_or_default();
            assert!(text.len() > 5, "{key}: {property}");
        }
    }
    let schema = ImageRequest::json_schema();
    keys::<ImageRequest>(&schema);
    keys::<VideoRequest>(&VideoRequest::json_schema());
    let properties = &schema["properties"];
    assert_eq!(
        properties["width"]["description"],
        "Width in pixels, 1 to MAX_SIDE. The engine rounds up to what the model can draw: a \
         multiple of 64 for UNets, 8 for most transformers. Default 512."
    );
    assert_eq!(properties["control_strength"]["default"], json!(0.9));
    assert_eq!(properties["init_image"]["contentEncoding"], "base64");
    assert!(schema.get("required").is_none());
}

#[test]
fn what_the_schema_refuses_is_refused() {
    for json in [
        json!({ "stepz": 1 }),
        json!({ "sampling": {} }),
        json!({ "hires": { "size": 1 } }),
        json!({ "loras": [{ "path": "x", "weight": 1 }] }),
        json!({ "loras": [{}] }),
        json!({ "vae_tiling": { "tile_size": [1] } }),
        json!({ "skip_layers": { "layer": 1 } }),
        json!({ "step_cache": {} }),
        json!({ "step_cache": { "mode": "none" } }),
        json!({ "step_cache": { "mode": "easycache", "order": 1 } }),
        json!({ "step_cache": { "mode": "cache-dit", "blocks": { "order": 1 } } }),
        json!({ "photo_maker": { "id_images": [], "x": 1 } }),
        json!({ "prompt": null }),
        json!({ "steps": null }),
        json!({ "steps": "20" }),
        json!({ "sampler": "fast" }),
        json!([]),
    ] {
        assert!(!IMAGE.is_valid(&json), "{json}");
        assert!(serde_json::from_value::<ImageRequest>(json.clone()).is_err(), "{json}");
    }
    assert!(
        IMAGE.is_valid(&json!({ "seed": null, "hires": null, "step_cache": null, "mask": null }))
    );
}

/// A numeric field of the schema: the keys that lead to it, and its bounds.
struct Bound {
    path: Vec<String>,
    schema: Value,
}

/// Walks a schema. Of lists and pairs, it follows the entries under the key "0".
fn bounds(schema: &Value, path: &[String], found: &mut Vec<Bound>) {
    let schema = match schema.get("anyOf") {
        Some(any) => &any[0],
        None => schema,
    };
    if ["minimum", "maximum", "exclusiveMinimum"].iter().any(|key| schema.get(key).is_some()) {
        found.push(Bound { path: path.to_vec(), schema: schema.clone() });
    }
    let below = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect::<Vec<_>>();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        bounds(property, &below(key), found);
    }
    for variant in schema["oneOf"].as_array().into_iter().flatten() {
        // Others are alternatives without bounds of their own.
        if let Some(mode) = variant["properties"]["mode"]["const"].as_str() {
            bounds(variant, &below(&format!("mode={mode}")), found);
        }
    }
    let entry = schema["prefixItems"].get(0).or(schema.get("items"));
    if let Some(entry) = entry {
        bounds(entry, &below("0"), found);
    }
}

/// A picture of one pixel.
fn picture() -> Value {
    let request = ImageRequest::default().init_image(image::RgbImage::new(1, 1));
    json_of(&request)["init_image"].clone()
}

/// The smallest request that has `value` there, and in which what depends on it is out of the way.
fn with(path: &[String], value: &Value) -> Value {
    let Some((key, rest)) = path.split_first() else { return value.clone() };
    let inner = with(rest, value);
    if let Some(mode) = key.strip_prefix("mode=") {
        let mut object = inner;
        object["mode"] = json!(mode);
        return object;
    }
    if key == "0" {
        return json!([inner, 4.0]);
    }
    let mut object = json!({ key: inner });
    match key.as_str() {
        "layers" | "loras" => object[key] = json!([object[key][0]]),
        "tile_size" | "target_size" if object[key].is_array() => {
            object[key] = json!([object[key][0], 64]);
        }
        "custom_sigmas" => object[key] = json!([8, object[key][0]]),
        "frames" => (object["width"], object["height"]) = (json!(4), json!(4)),
        "end" => object["start"] = json!(0),
        "multiplier" => object["path"] = json!("x"),
        "style_strength" => object["id_images"] = json!([picture()]),
        "inpaint" => (object["init_image"], object["mask"]) = (picture(), picture()),
        "outpaint" => object["init_image"] = picture(),
        "left" => object["right"] = json!(1),
        "right" | "top" | "bottom" | "feather" => object["left"] = json!(1),
        // A video's needs one.
        "hires" => {
            object[key]["upscaler"] = json!("Model");
            object[key]["model"] = json!("x");
        }
        _ => {}
    }
    object
}

/// Each bound of the schema, tried on `check`: the value at the bound must not be what it complains
/// of, the value past it must be.
fn probe<T: DeserializeOwned>(schema: &Value, check: impl Fn(&T) -> Result<()>, least: usize) {
    let mut found = Vec::new();
    bounds(schema, &[], &mut found);
    assert!(found.len() >= least, "{}", found.len());
    for Bound { path, schema } in found {
        let field = path.iter().rfind(|key| *key != "0").unwrap().as_str();
        let complains = |value: &Value| {
            let json = with(&path, value);
            match serde_json::from_value::<T>(json.clone()) {
                // A number that the type does not have.
                Err(error) => error.to_string().contains("invalid value"),
                Ok(request) => check(&request).is_err_and(|error| {
                    let text = error.to_string();
                    let name = text.split(" is ").next().unwrap_or_default();
                    // A cache must begin before it ends: no bound of one field.
                    if text.contains("allowed: below step_cache.end") {
                        return false;
                    }
                    name == field || name.ends_with(&format!(".{field}"))
                }),
            }
        };
        let whole = schema["type"].to_string().contains("integer");
        let past = |bound: &Value, up: bool| match bound.as_i64().filter(|_| whole) {
            Some(bound) => json!(bound.saturating_add(if up { 1 } else { -1 })),
            None => {
                let bound = bound.as_f64().unwrap();
                let step = bound.abs().max(0.01) / 100.0;
                json!(if up { bound + step } else { bound - step })
            }
        };
        for (keyword, up) in [("minimum", false), ("maximum", true)] {
            let Some(bound) = schema.get(keyword) else { continue };
            assert!(!complains(bound), "{path:?} at {bound}");
            let outside = past(bound, up);
            // There is no number below the least seed.
            if outside != *bound {
                assert!(complains(&outside), "{path:?} at {outside}");
            }
        }
        if let Some(bound) = schema.get("exclusiveMinimum") {
            assert!(complains(bound), "{path:?} at {bound}");
            assert!(!complains(&json!(0.001)), "{path:?} above {bound}");
        }
    }
}

#[test]
fn bounds_are_those_of_check() {
    probe(&ImageRequest::json_schema(), ImageRequest::check, 50);
    probe(&VideoRequest::json_schema(), VideoRequest::check, 60);
}

#[test]
fn lists_are_as_long_as_check_allows() {
    let lengths = |schema: &Value| (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
    let schema = ImageRequest::json_schema();
    let properties = &schema["properties"];
    let most = |key: &str| lengths(&properties[key]).1.unwrap() as usize;
    let refused = |request: ImageRequest| request.check().is_err();
    let new = ImageRequest::default;
    let picture = || image::RgbImage::new(1, 1);
    let references = |n| (0..n).fold(new(), |r, _| r.reference_image(picture()));
    assert!(!refused(references(most("reference_images"))));
    assert!(refused(references(most("reference_images") + 1)));
    let loras = |n| (0..n).fold(new(), |r, _| r.lora(Lora::new("x")));
    assert!(!refused(loras(most("loras"))) && refused(loras(most("loras") + 1)));
    let sigmas = |n: usize| new().custom_sigmas((0..n).rev().map(|s| s as f32).collect::<Vec<_>>());
    let n = most("custom_sigmas");
    assert!(!refused(sigmas(n)) && refused(sigmas(n + 1)));
    let longest = properties["prompt"]["maxLength"].as_u64().unwrap() as usize;
    let prompt = |n| ImageRequest::new("x".repeat(n));
    assert!(!refused(prompt(longest)) && refused(prompt(longest + 1)));
    let photos = &properties["photo_maker"]["properties"]["id_images"];
    assert_eq!(lengths(photos), (Some(1), Some(16)), "{photos}");
    let layers = &properties["skip_layers"]["properties"]["layers"];
    let (least, most) = lengths(layers);
    let layers = |n: u64| new().skip_layers(SkipLayers::new(vec![1; n as usize]));
    assert!(!refused(layers(least.unwrap())) && refused(layers(least.unwrap() - 1)));
    assert!(!refused(layers(most.unwrap())) && refused(layers(most.unwrap() + 1)));
}
