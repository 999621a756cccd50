//! Requests and configurations as JSON, and as whatever else serde reads and writes.
//!
//! serde's derive cannot do what is wanted here: flat keys (`#[serde(flatten)]`) together with errors
//! for unknown ones, defaults left out, and errors that name the field. So each struct has one call
//! of [`object!`] with one line for each field; a field without a line does not compile.

mod caches;
#[cfg(feature = "serde")]
mod codec;
#[cfg(feature = "serde")]
mod configs;
#[cfg(feature = "isolated")]
pub(crate) use codec::MOST_BYTES;
mod parts;
#[cfg(feature = "serde")]
mod requests;
#[cfg(feature = "schema")]
pub(crate) mod schema;
#[cfg(test)]
#[cfg(feature = "serde")]
mod tests;

use serde::{
    Deserialize, Serialize,
    de::{self, MapAccess, Visitor},
    ser::SerializeMap,
};
use std::{fmt, marker::PhantomData};

/// A struct whose fields are the keys of an object.
pub(crate) trait Object: Sized {
    /// Keys that must be there.
    const REQUIRED: &'static [&'static str];

    /// What an object without keys stands for.
    fn blank() -> Self;

    /// Every key, in the order they are written.
    fn keys() -> Vec<&'static str>;

    /// Takes the value of `key`; false if there is no such key.
    fn read_key<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        map: &mut A,
    ) -> Result<bool, A::Error>;

    /// Writes what differs from [`blank`](Self::blank).
    fn write_keys<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    /// What is allowed in the fields, and what they are by default.
    #[cfg(feature = "schema")]
    fn facts() -> Vec<schema::Fact>;
}

/// [`Object`] and serde's traits for a struct: `struct = value without keys`, the field whose own
/// keys are on the same level, the required keys, and each other field with the codec in
/// [`codec`] that it needs, and with what the schema says is allowed.
macro_rules! object {
    (
        $struct:ident = $blank:expr $(, flat $flat:ident: $flat_type:ty)?
        $(, required $($required:ident)+)?;
        $($field:ident $(as $codec:ident)? $(=> $bounds:expr)?;)*
    ) => {
        impl $crate::json::Object for $struct {
            const REQUIRED: &'static [&'static str] = &[$($(stringify!($required)),+)?];

            fn blank() -> Self {
                $blank
            }

            fn keys() -> Vec<&'static str> {
                #[allow(unused_mut)]
                let mut keys = vec![$(stringify!($field)),*];
                $(keys.extend(<$flat_type as $crate::json::Object>::keys());)?
                keys
            }

            fn read_key<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                key: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                match key {
                    $(stringify!($field) => {
                        self.$field = $crate::json::object!(@read map $($codec)?)
                            .map_err(|error| $crate::json::named(key, error))?;
                    })*
                    _ => {
                        $(return $crate::json::Object::read_key(&mut self.$flat, key, map);)?
                        #[allow(unreachable_code)]
                        return Ok(false);
                    }
                }
                Ok(true)
            }

            fn write_keys<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                let blank = Self::blank();
                let Self { $($flat,)? $($field),* } = self;
                $(
                    let key = stringify!($field);
                    if *$field != blank.$field || Self::REQUIRED.contains(&key) {
                        $crate::json::object!(@write map key $field $($codec)?)?;
                    }
                )*
                $($crate::json::Object::write_keys($flat, map)?;)?
                Ok(())
            }

            #[cfg(feature = "schema")]
            fn facts() -> Vec<$crate::json::schema::Fact> {
                #[allow(unused_imports)]
                use $crate::json::schema::{Fact, each, list, range, text};
                let blank = Self::blank();
                let mut facts = Vec::new();
                $(
                    #[allow(unused_mut)]
                    let mut fact = Fact::new(stringify!($field));
                    $crate::json::object!(@default fact blank $field $($codec)?);
                    $(fact.bounds = Some($bounds);)?
                    facts.push(fact);
                )*
                $(facts.extend(<$flat_type as $crate::json::Object>::facts());)?
                facts
            }
        }

        impl serde::Serialize for $struct {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $struct {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::read(deserializer)
            }
        }
    };
    (@read $map:ident) => { $map.next_value() };
    (@read $map:ident $codec:ident) => { $crate::json::codec::$codec::read($map) };
    (@write $map:ident $key:ident $field:ident) => { $map.serialize_entry($key, $field) };
    (@write $map:ident $key:ident $field:ident $codec:ident) => {
        $crate::json::codec::$codec::write($map, $key, $field)
    };
    (@default $fact:ident $blank:ident $field:ident) => { $fact.set_default(&$blank.$field); };
    (@default $fact:ident $blank:ident $field:ident $codec:ident) => {};
}
pub(crate) use object;

pub(crate) fn write<T: Object, S: serde::Serializer>(
    object: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    object.write_keys(&mut map)?;
    map.end()
}

pub(crate) fn read<'de, T: Object, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_map(Reader(PhantomData))
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the keys {}", T::keys().join(", "))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        #[cfg(feature = "serde")]
        let _budget = codec::Budget::open();
        let mut object = T::blank();
        let mut seen: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(de::Error::custom(format!("the key `{key}` is there twice")));
            }
            if !object.read_key(&key, &mut map)? {
                return Err(de::Error::custom(format!(
                    "unknown key `{}`; the keys are {}",
                    shortened(&key),
                    T::keys().join(", ")
                )));
            }
            seen.push(key);
        }
        match T::REQUIRED.iter().find(|key| !seen.iter().any(|s| s == *key)) {
            Some(missing) => Err(de::Error::custom(format!("the key `{missing}` is missing"))),
            None => Ok(object),
        }
    }
}

/// The error with the key in front, as in `` `hires.scale`: invalid type… ``.
pub(crate) fn named<E: de::Error>(key: &str, error: E) -> E {
    let text = error.to_string();
    E::custom(match text.strip_prefix('`') {
        Some(inner) => format!("`{key}.{}", shortened(inner)),
        None => format!("`{key}`: {}", shortened(&text)),
    })
}

/// serde repeats a value of the wrong type as a whole, which may be a picture. The end has line and
/// column.
fn shortened(text: &str) -> String {
    const BEGIN: usize = 700;
    const END: usize = 100;
    let count = text.chars().count();
    if count <= BEGIN + END {
        return text.to_owned();
    }
    let begin = text.chars().take(BEGIN);
    begin.chain(['…']).chain(text.chars().skip(count - END)).collect()
}

/// Serialises a [`named_enum!`](crate::named) by its name.
pub(crate) fn write_name<S: serde::Serializer>(
    name: &'static str,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    name.serialize(serializer)
}

/// Reads a [`named_enum!`](crate::named) from any of its names.
pub(crate) fn read_name<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err = crate::Error>,
    D: serde::Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| match error {
        crate::Error::InvalidParameter { value, allowed, .. } => {
            de::Error::custom(format!("{value} is none of {allowed}"))
        }
        other => de::Error::custom(other),
    })
}
