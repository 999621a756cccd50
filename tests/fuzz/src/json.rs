//! Requests and configurations from JSON.

use sdcpp::{Canny, Convert, ImageRequest, ModelConfig, UpscalerConfig, VideoRequest};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Reads the bytes as each kind of object.
///
/// What is read and allowed is written as JSON that is read as the same again.
pub(crate) fn run(input: &[u8]) {
    round_trip::<ImageRequest>(input, |request| request.check().is_ok());
    round_trip::<VideoRequest>(input, |request| request.check().is_ok());
    // Their checks look at files.
    round_trip::<ModelConfig>(input, |_| true);
    round_trip::<UpscalerConfig>(input, |_| true);
    round_trip::<Convert>(input, |_| true);
    round_trip::<Canny>(input, |_| true);
}

fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    input: &[u8],
    allowed: impl Fn(&T) -> bool,
) {
    let Ok(read) = serde_json::from_slice::<T>(input) else { return };
    if !allowed(&read) {
        return;
    }
    let text = serde_json::to_string(&read).unwrap_or_else(|error| panic!("{read:?}: {error}"));
    let again: T =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text} of {read:?}: {error}"));
    assert_eq!(again, read, "by {text}");
}
