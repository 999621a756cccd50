//! Enums whose values the engine knows by name.

/// Compares names as users write them: case, blanks, `_` and `-` do not count.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    let letters = |s: &str| {
        s.chars()
            .filter(|c| !c.is_whitespace() && *c != '_' && *c != '-')
            .flat_map(char::to_lowercase)
            .collect::<Vec<_>>()
    };
    letters(a) == letters(b)
}

/// Defines an enum with, for each variant, the engine's constant and name, the label A1111 shows,
/// and further aliases.
macro_rules! named_enum {
    (
        $(#[$doc:meta])*
        pub enum $enum:ident as $field:literal, end $end:ident {
            $($(#[$variant_doc:meta])* $variant:ident = $constant:ident, $name:literal, $label:literal
              $(, [$($alias:literal),*])?;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// Every value, in the engine's order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The engine's name, as its CLI takes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The name as A1111's web UI writes it, or the engine's where that has none.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The engine's number.
            pub(crate) const fn to_engine(self) -> i32 {
                match self { $(Self::$variant => sdcpp_sys::$constant as i32,)* }
            }

            /// The value for an engine's number, if there is one.
            #[allow(dead_code)]
            pub(crate) fn from_engine(value: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.to_engine() == value)
            }

            /// The engine's number for "choose for me", one past the last value.
            #[allow(dead_code)]
            pub(crate) const AUTO: i32 = sdcpp_sys::$end as i32;
        }

        impl std::fmt::Display for $enum {
            /// The engine's name.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $enum {
            /// The engine's name.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::json::write_name(self.name(), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $enum {
            /// Whatever [`FromStr`](std::str::FromStr) accepts.
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::read_name(deserializer)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $enum {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($enum).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let names: Vec<_> = Self::ALL.iter().map(|value| value.name()).collect();
                schemars::json_schema!({ "type": "string", "enum": names })
            }
        }

        impl std::str::FromStr for $enum {
            type Err = crate::Error;

            /// Accepts the engine's names, A1111's labels and aliases, whatever the case.
            fn from_str(text: &str) -> crate::Result<Self> {
                let names: &[(Self, &[&str])] =
                    &[$((Self::$variant, &[$name, $label $($(, $alias)*)?]),)*];
                names
                    .iter()
                    .find(|(_, all)| all.iter().any(|n| crate::named::same_name(n, text)))
                    .map(|(value, _)| *value)
                    .ok_or_else(|| {
                        let all: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                        crate::Error::invalid($field, format!("{text:?}"), all.join(", "))
                    })
            }
        }
    };
}
pub(crate) use named_enum;

/// Gives names to an enum that users choose from and that has no constants of the engine.
macro_rules! choice_names {
    ($enum:ident as $field:literal { $($variant:ident = $name:literal $(, [$($alias:literal),*])?;)* }) => {
        impl $enum {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name, as the command line takes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl std::fmt::Display for $enum {
            /// The name.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $enum {
            type Err = $crate::Error;

            /// Accepts the names and their aliases, whatever the case.
            fn from_str(text: &str) -> $crate::Result<Self> {
                let names: &[(Self, &[&str])] =
                    &[$((Self::$variant, &[$name $($(, $alias)*)?]),)*];
                names
                    .iter()
                    .find(|(_, all)| all.iter().any(|n| $crate::named::same_name(n, text)))
                    .map(|(value, _)| *value)
                    .ok_or_else(|| {
                        let all: Vec<_> = Self::ALL.iter().map(|v| v.name()).collect();
                        $crate::Error::invalid($field, format!("{text:?}"), all.join(", "))
                    })
            }
        }
    };
}
pub(crate) use choice_names;

#[cfg(test)]
mod tests {
    use super::same_name;
    use crate::{Error, PngCompression, PreviewKind, WavSamples};
    use std::{fmt::Display, str::FromStr};

    #[test]
    fn choices_are_read_as_they_are_written() {
        fn check<T: Copy + PartialEq + Display + FromStr<Err = Error>>(all: &[T], error: &str) {
            for value in all {
                let text = value.to_string();
                assert!(text.parse::<T>().is_ok_and(|read| read == *value));
                assert!(text.to_uppercase().parse::<T>().is_ok_and(|read| read == *value));
            }
            let refused = "none".parse::<T>().map_err(|e| e.to_string()).err();
            assert_eq!(refused.as_deref(), Some(error));
        }
        check(PreviewKind::ALL, "preview_kind is \"none\"; allowed: proj, tae, vae");
        check(PngCompression::ALL, "png_compression is \"none\"; allowed: fast, balanced, high");
        check(WavSamples::ALL, "wav_samples is \"none\"; allowed: pcm16, float32");
        assert_eq!("TAESD".parse::<PreviewKind>().ok(), Some(PreviewKind::Taesd));
        assert_eq!(PreviewKind::ALL.len() + PngCompression::ALL.len() + WavSamples::ALL.len(), 8);
    }

    #[test]
    fn names_are_compared_as_written_by_users() {
        assert!(same_name("Euler A", "euler_a") && same_name("DPM++ 2M", "dpm++2m"));
        assert!(!same_name("dpm2", "dpm++2"));
    }
}
