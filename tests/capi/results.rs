//! What comes of a result: files, PNG bytes, facts.

use crate::{asked::*, common};
use sdcpp_capi::*;
use std::{
    ffi::CStr,
    fs,
    ptr::{null, null_mut},
};

#[test]
fn pngs_are_those_of_the_safe_crate() {
    let context = open();
    let (code, result) = draw(context, &quick(3), None);
    works(code);
    let expected = common::demo().generate(&common::quick_request("a red circle")).unwrap();
    let png = |compression: Option<&CStr>| {
        let (mut bytes, mut length) = (null_mut(), 0);
        let compression = compression.map_or(null(), CStr::as_ptr);
        // SAFETY: places for a pointer and a number.
        unsafe {
            works(sdcpp_result_png(result, 0, compression, &raw mut bytes, &raw mut length));
            let copy = std::slice::from_raw_parts(bytes, length).to_vec();
            works(sdcpp_free(bytes.cast()));
            fails(sdcpp_free(bytes.cast()), SDCPP_INVALID_HANDLE);
            copy
        }
    };
    let best = sdcpp::PngCompression::High;
    assert_eq!(png(None), expected.images[0].to_png().unwrap());
    assert_eq!(png(Some(c"high")), expected.images[0].to_png_with(best).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.png");
    let name = path(&file);
    let other = path(&folder.path().join("x.jpg"));
    let nowhere = path(&folder.path().join("no/x.png"));
    // SAFETY: texts that live, and places for what comes.
    unsafe {
        works(sdcpp_result_save(result, 0, name.as_ptr()));
        assert_eq!(fs::read(&file).unwrap(), png(None));
        fails(sdcpp_result_save(result, 0, other.as_ptr()), SDCPP_INVALID_PARAMETER);
        fails(sdcpp_result_save(result, 0, nowhere.as_ptr()), SDCPP_IO);
        let failed = fails(sdcpp_result_save(result, 1, name.as_ptr()), SDCPP_INVALID_PARAMETER);
        assert_eq!(failed.message, "index is 1; allowed: 0 to 0");
        let mut image: sdcpp_image = std::mem::zeroed();
        image.size = size_of::<sdcpp_image>();
        let code = sdcpp_result_image(result, usize::MAX, &raw mut image);
        fails(code, SDCPP_INVALID_PARAMETER);
        assert!(image.data.is_null());
        // A picture is no animation until somebody says how fast it plays.
        let gif = path(&folder.path().join("x.gif"));
        let code = sdcpp_result_save_animation(result, 0.0, gif.as_ptr());
        fails(code, SDCPP_INVALID_PARAMETER);
        works(sdcpp_result_save_animation(result, 2.0, gif.as_ptr()));
        // And what was written is read.
        let mut pixels: sdcpp_pixels = std::mem::zeroed();
        works(sdcpp_picture_read(name.as_ptr(), &raw mut pixels));
        let bytes = std::slice::from_raw_parts(pixels.data, pixels.length);
        assert_eq!(bytes, expected.images[0].as_bytes());
        works(sdcpp_free(pixels.data.cast_mut().cast()));
        fails(sdcpp_picture_read(nowhere.as_ptr(), &raw mut pixels), SDCPP_FILE_NOT_FOUND);
        assert!(pixels.data.is_null() && pixels.length == 0);
    }
    let mut info = null_mut();
    // SAFETY: a place for a text.
    works(unsafe { sdcpp_result_info_json(result, &raw mut info) });
    let info = json(info);
    assert_eq!(
        (&info["kind"], &info["count"], &info["width"]),
        (&"images".into(), &1.into(), &64.into())
    );
    assert_eq!(
        (&info["seeds"], &info["fps"]),
        (&serde_json::json!([42]), &serde_json::Value::Null)
    );
    assert!(info["seconds"]["sampling"].as_f64().unwrap() > 0.0, "{info}");
    works(sdcpp_result_free(result));
    works(sdcpp_context_free(context));
}
