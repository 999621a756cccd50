//! The "parameters" text, alone and in PNG, JPEG and WebP files.

use sdcpp::Parameters;

/// Reads the bytes as a picture's file, and as the text itself.
///
/// A text that is read gives a request that can be checked, and the same one the second time.
pub(crate) fn run(input: &[u8]) {
    if let Ok(Some(parameters)) = Parameters::from_bytes(input) {
        let _ = parameters.request.check();
    }
    let text = String::from_utf8_lossy(input);
    let parameters = Parameters::parse(&text);
    let _ = parameters.request.check();
    // Values may be NaN, which no comparison holds for.
    let shown = format!("{parameters:?}");
    assert_eq!(format!("{:?}", Parameters::parse(&text)), shown);
    for (key, _) in &parameters.other {
        assert!(parameters.get(key).is_some(), "{key:?} is not found by its name");
    }
}
