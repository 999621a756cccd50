//! Values that options take: lists, pairs and `key=value` settings.

use sdcpp::Error;
use std::{collections::BTreeMap, fmt::Display, str::FromStr};

/// An error about an option's value.
pub(crate) fn invalid(
    option: &'static str,
    value: impl Display,
    allowed: impl Into<String>,
) -> Error {
    Error::InvalidParameter {
        field: option.into(),
        value: value.to_string(),
        allowed: allowed.into(),
    }
}

/// Numbers separated by commas or blanks, in square brackets or not: `[7,8,9]`, `14.6, 7.8, 0`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text.trim();
        let inner = inner.strip_prefix('[').unwrap_or(inner);
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        inner
            .split([',', ' '])
            .filter(|item| !item.is_empty())
            .map(|item| item.parse().map_err(|_| format!("{item:?} is no number of a list")))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Two numbers as `32x48`, or one for both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair<T>(pub(crate) T, pub(crate) T);

impl<T: FromStr + Copy> FromStr for Pair<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |part: &str| part.trim().parse::<T>().map_err(|_| format!("{part:?} is no number"));
        match text.split_once('x') {
            Some((x, y)) => Ok(Self(number(x)?, number(y)?)),
            None => number(text).map(|both| Self(both, both)),
        }
    }
}

/// Settings as `key=value,key=value`, taken out one by one; what is left over is a mistake.
#[derive(Debug)]
pub(crate) struct Pairs {
    option: &'static str,
    left: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Pairs {
    pub(crate) fn parse(option: &'static str, text: &str) -> Result<Self, Error> {
        let mut left = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) =
                part.split_once('=').ok_or_else(|| invalid(option, part, "key=value,…"))?;
            left.insert(key.trim().to_owned(), value.trim().to_owned());
        }
        Ok(Self { option, left, known: Vec::new() })
    }

    /// Writes the value of `key` into `target` if there is one.
    pub(crate) fn take<T: FromStr>(
        &mut self,
        key: &'static str,
        target: &mut T,
    ) -> Result<(), Error> {
        self.known.push(key);
        if let Some(text) = self.left.remove(key) {
            *target = text
                .parse()
                .map_err(|_| invalid(self.option, format!("{key}={text}"), "a number"))?;
        }
        Ok(())
    }

    /// As [`take`](Self::take) for what is on or off, as `1`, `0`, `true` or `false`.
    pub(crate) fn take_flag(&mut self, key: &'static str, target: &mut bool) -> Result<(), Error> {
        self.known.push(key);
        if let Some(text) = self.left.remove(key) {
            *target = match text.as_str() {
                "1" | "true" | "on" | "yes" => true,
                "0" | "false" | "off" | "no" => false,
                _ => return Err(invalid(self.option, format!("{key}={text}"), "0 or 1")),
            };
        }
        Ok(())
    }

    /// An error if a key is left over.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.left.keys().next() {
            Some(key) => Err(invalid(self.option, key, self.known.join(", "))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_and_without_brackets() {
        assert_eq!("[7,8, 9]".parse(), Ok(List(vec![7_u32, 8, 9])));
        assert_eq!("14.61, 7.8,0.0".parse(), Ok(List(vec![14.61_f32, 7.8, 0.0])));
        assert!("7,x".parse::<List<u32>>().unwrap_err().contains("\"x\""));
    }

    #[test]
    fn pairs_of_numbers() {
        assert_eq!("32x48".parse(), Ok(Pair(32_u32, 48)));
        assert_eq!("0.5".parse(), Ok(Pair(0.5_f32, 0.5)));
        assert!("32xy".parse::<Pair<u32>>().is_err());
    }

    #[test]
    fn settings_are_taken_and_the_rest_is_a_mistake() {
        let mut pairs = Pairs::parse("--x", "a=1.5, b=0,c=3").unwrap();
        let (mut a, mut b) = (0.0_f32, true);
        pairs.take("a", &mut a).unwrap();
        pairs.take_flag("b", &mut b).unwrap();
        assert!(a == 1.5 && !b);
        assert_eq!(pairs.finish().unwrap_err().to_string(), "--x is c; allowed: a, b");
        assert!(Pairs::parse("--x", "a").is_err());
    }
}
