//! JSON Schemas of the requests, draft 2020-12.
//!
//! Types and descriptions come from the structs (schemars' derive reads their rustdoc); what is
//! allowed and what is the default comes from the lines of [`object!`](super::object).

use super::Object;
use crate::{
    DbCache, EasyCache, ImageRequest, Spectrum, StepCache, TaylorSeer, UCache, VideoRequest,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, ops::RangeInclusive};

impl ImageRequest {
    /// The JSON Schema (draft 2020-12) of a request, with everything in one schema: descriptions,
    /// defaults, names of samplers and the like, and the ranges that [`check`](Self::check) enforces.
    /// What concerns several fields at once is only in `check`.
    ///
    /// ```
    /// let schema = sdcpp::ImageRequest::json_schema();
    /// assert_eq!(schema["properties"]["steps"]["maximum"], 1000);
    /// assert_eq!(schema["properties"]["width"]["default"], 512);
    /// assert_eq!(schema["additionalProperties"], false);
    /// ```
    pub fn json_schema() -> Value {
        of::<Self>()
    }
}

impl VideoRequest {
    /// The JSON Schema of a request, as [`ImageRequest::json_schema`].
    ///
    /// ```
    /// let schema = sdcpp::VideoRequest::json_schema();
    /// assert_eq!(schema["properties"]["frames"]["default"], 33);
    /// ```
    pub fn json_schema() -> Value {
        of::<Self>()
    }
}

fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// What the schema says of a field beyond its type.
pub(crate) struct Fact {
    key: &'static str,
    default: Value,
    pub(crate) bounds: Option<Bounds>,
}

impl Fact {
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, default: Value::Null, bounds: None }
    }

    pub(crate) fn set_default(&mut self, value: &impl serde::Serialize) {
        // By way of text: as a `Value`, an f32 of 0.9 would be 0.8999999761581421.
        let text = serde_json::to_string(value).unwrap_or_default();
        self.default = serde_json::from_str(&text).unwrap_or_default();
    }
}

/// What is allowed in a field: keywords for it, and for each entry if it is a list.
#[derive(Default)]
pub(crate) struct Bounds {
    own: Map<String, Value>,
    each: Map<String, Value>,
}

/// A number in this range.
pub(crate) fn range<T: Limit>(range: RangeInclusive<T>) -> Bounds {
    Bounds { own: keywords(&range), ..Bounds::default() }
}

/// A list or pair of numbers in this range.
pub(crate) fn each<T: Limit>(range: RangeInclusive<T>) -> Bounds {
    Bounds { each: keywords(&range), ..Bounds::default() }
}

/// A list of so many.
pub(crate) fn list(range: RangeInclusive<usize>) -> Bounds {
    let mut own = Map::new();
    own.insert("minItems".to_owned(), (*range.start()).into());
    own.insert("maxItems".to_owned(), (*range.end()).into());
    Bounds { own, ..Bounds::default() }
}

/// A text for the engine. (The schema counts characters, the engine bytes.)
pub(crate) fn text() -> Bounds {
    let mut own = Map::new();
    own.insert("maxLength".to_owned(), crate::validate::MAX_TEXT_BYTES.into());
    Bounds { own, ..Bounds::default() }
}

impl Bounds {
    pub(crate) fn each<T: Limit>(self, range: RangeInclusive<T>) -> Self {
        Self { each: keywords(&range), ..self }
    }

    /// A list's entries are in `items`, a pair's in `prefixItems`. What may be absent has a schema
    /// for its value beside one for null.
    fn apply(self, schema: &mut Map<String, Value>) {
        let schema = match schema.get_mut("anyOf").and_then(|any| any.get_mut(0)) {
            Some(Value::Object(_)) => {
                let first = schema.get_mut("anyOf").and_then(|any| any.get_mut(0));
                let Some(Value::Object(first)) = first else { return };
                first
            }
            _ => schema,
        };
        schema.extend(self.own);
        let items = match schema.get_mut("prefixItems") {
            Some(Value::Array(items)) => items.iter_mut().collect::<Vec<_>>(),
            _ => schema.get_mut("items").into_iter().collect(),
        };
        for item in items.into_iter().filter_map(Value::as_object_mut) {
            item.remove("format");
            item.extend(self.each.clone());
        }
    }
}

/// A number that can be a bound.
pub(crate) trait Limit: Copy {
    /// As the keywords have it; none if it is no bound.
    fn keyword(self) -> Option<Value>;
    /// Whether it stands for "above 0".
    fn above_zero(self) -> bool {
        false
    }
}

impl Limit for u32 {
    fn keyword(self) -> Option<Value> {
        Some(self.into())
    }
}

impl Limit for i64 {
    fn keyword(self) -> Option<Value> {
        Some(self.into())
    }
}

impl Limit for f32 {
    fn keyword(self) -> Option<Value> {
        if self == f32::MAX {
            return None;
        }
        let whole = self.fract() == 0.0;
        if whole {
            Some((self as i64).into())
        } else {
            serde_json::from_str(&self.to_string()).ok()
        }
    }

    fn above_zero(self) -> bool {
        self == f32::MIN_POSITIVE
    }
}

fn keywords<T: Limit>(range: &RangeInclusive<T>) -> Map<String, Value> {
    let mut map = Map::new();
    if range.start().above_zero() {
        map.insert("exclusiveMinimum".to_owned(), 0.into());
    } else if let Some(least) = range.start().keyword() {
        map.insert("minimum".to_owned(), least);
    }
    if let Some(most) = range.end().keyword() {
        map.insert("maximum".to_owned(), most);
    }
    map
}

/// Brings what [`Object`] knows into the schema that schemars derived.
pub(crate) fn finish<T: Object>(schema: &mut Schema) {
    let schema = schema.ensure_object();
    schema.remove("unevaluatedProperties");
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.remove("required");
    if !T::REQUIRED.is_empty() {
        schema.insert("required".to_owned(), json!(T::REQUIRED));
    }
    tidy(schema);
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for fact in T::facts() {
        let Some(Value::Object(property)) = properties.get_mut(fact.key) else { continue };
        tidy(property);
        if !fact.default.is_null() && !T::REQUIRED.contains(&fact.key) {
            property.insert("default".to_owned(), fact.default);
        }
        if let Some(bounds) = fact.bounds {
            bounds.apply(property);
        }
    }
}

/// Takes out what only Rust knows: the width of numbers, and links in descriptions.
fn tidy(schema: &mut Map<String, Value>) {
    schema.remove("format");
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = without_links(text);
    }
}

/// ``[`steps`](Self::steps)`` and ``[`MAX_SIDE`]`` become `steps` and `MAX_SIDE`; examples are left
/// out.
fn without_links(text: &str) -> String {
    let text = text.split("\n```").next().unwrap_or(text).trim_end();
    let text = text.replace("\n\n", " ").replace('\n', " ");
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((label, after)) = after.split_once(']') else {
            plain.push('[');
            rest = after;
            continue;
        };
        plain.push_str(label);
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    (plain + rest).replace('`', "")
}

/// A picture in base64.
pub(crate) struct Base64Picture;

impl JsonSchema for Base64Picture {
    fn schema_name() -> Cow<'static, str> {
        "Picture".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "image/png",
        })
    }
}

impl JsonSchema for StepCache {
    fn schema_name() -> Cow<'static, str> {
        "StepCache".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let schemas = [
            EasyCache::json_schema(generator),
            UCache::json_schema(generator),
            DbCache::json_schema(generator),
            TaylorSeer::json_schema(generator),
            super::caches::CacheDit::json_schema(generator),
            Spectrum::json_schema(generator),
        ];
        let modes = super::caches::modes().into_iter().zip(schemas).map(|(mode, mut schema)| {
            let object = schema.ensure_object();
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                properties.insert("mode".to_owned(), json!({ "const": mode }));
            }
            object.insert("required".to_owned(), json!(["mode"]));
            schema
        });
        schemars::json_schema!({ "oneOf": modes.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests;
