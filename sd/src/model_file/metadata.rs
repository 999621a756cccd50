//! What a file says of itself.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Longest text that is kept whole.
pub(super) const MAX_TEXT: u64 = 65_536;
/// How many elements of a list are kept; as many as a shape may have.
pub(super) const KEPT: usize = super::header::MAX_DIMENSIONS;

/// A value of a file's metadata.
///
/// Long lists keep their first elements only, and texts their first 64 KiB.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MetadataValue {
    /// Yes or no.
    Bool(bool),
    /// A number that is not negative.
    Unsigned(u64),
    /// A whole number.
    Integer(i64),
    /// Any number.
    Float(f64),
    /// A text; all of safetensors' values are.
    Text(String),
    /// A list or table.
    #[non_exhaustive]
    List {
        /// How many elements it has.
        length: u64,
        /// The first few of them.
        first: Vec<MetadataValue>,
    },
}

impl MetadataValue {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn text(mut text: String) -> Self {
        if text.len() as u64 > MAX_TEXT {
            let cut = (0..=MAX_TEXT as usize).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(cut.unwrap_or(0));
        }
        Self::Text(text)
    }
}

impl fmt::Display for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(text) => f.pad(text),
            Self::List { length, first } => {
                f.write_str("[")?;
                for (i, value) in first.iter().enumerate() {
                    write!(f, "{}{value}", if i > 0 { ", " } else { "" })?;
                }
                match length.saturating_sub(first.len() as u64) {
                    0 => f.write_str("]"),
                    _ => write!(f, "… {length} in all]"),
                }
            }
        }
    }
}

/// Takes any JSON, and keeps little of what is no text.
impl<'de> Deserialize<'de> for MetadataValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = MetadataValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<MetadataValue, E> {
        Ok(MetadataValue::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<MetadataValue, E> {
        Ok(MetadataValue::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<MetadataValue, E> {
        Ok(MetadataValue::Integer(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<MetadataValue, E> {
        Ok(MetadataValue::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<MetadataValue, E> {
        Ok(MetadataValue::text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<MetadataValue, E> {
        Ok(MetadataValue::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<MetadataValue, A::Error> {
        let mut length = 0;
        let mut first = Vec::new();
        // One after the other, so that lists in lists do not add up.
        while first.len() < KEPT {
            match list.next_element::<MetadataValue>()? {
                Some(MetadataValue::List { length, .. }) => {
                    first.push(MetadataValue::List { length, first: Vec::new() });
                }
                Some(value) => first.push(value),
                None => break,
            }
            length += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(MetadataValue::List { length, first })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MetadataValue, A::Error> {
        let mut length = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(MetadataValue::List { length, first: Vec::new() })
    }
}
