//! Pixels the engine allocated.

use image::DynamicImage;
use sdcpp_sys::{Table, sd_image_t};
use std::{ptr::NonNull, slice};

/// Width, height and channels of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: u32,
}

impl Shape {
    fn bytes(self) -> Option<usize> {
        let size = u64::from(self.width)
            .checked_mul(u64::from(self.height))?
            .checked_mul(u64::from(self.channels))?;
        usize::try_from(size).ok().filter(|s| *s > 0 && *s <= isize::MAX as usize)
    }

    /// Pixels of this shape as a picture.
    pub(crate) fn to_dynamic(self, bytes: Vec<u8>) -> Option<DynamicImage> {
        let Self { width, height, channels } = self;
        match channels {
            1 => image::GrayImage::from_raw(width, height, bytes).map(DynamicImage::from),
            3 => image::RgbImage::from_raw(width, height, bytes).map(DynamicImage::from),
            4 => image::RgbaImage::from_raw(width, height, bytes).map(DynamicImage::from),
            _ => None,
        }
    }
}

/// A copy of one picture of the engine as RGB; none if it is none.
///
/// # Safety
/// The pixel pointer is NULL or points to width × height × channels bytes.
pub(super) unsafe fn copy(image: &sd_image_t) -> Option<image::RgbImage> {
    let shape = Shape { width: image.width, height: image.height, channels: image.channel };
    let (bytes, data) = (shape.bytes()?, NonNull::new(image.data)?);
    // SAFETY: not NULL, and the caller vouches for the length.
    let bytes = unsafe { slice::from_raw_parts(data.as_ptr(), bytes) };
    shape.to_dynamic(bytes.to_vec()).map(DynamicImage::into_rgb8)
}

/// An array of pictures, owned; freed by the engine's allocator when dropped.
pub(crate) struct Images {
    array: NonNull<sd_image_t>,
    count: i32,
    /// Shapes and pixels, checked once.
    checked: Vec<(Shape, NonNull<u8>, usize)>,
    table: Table,
}

// SAFETY: the array and its pixels are plain memory that only this value owns, and nothing writes to
// it after it was made.
unsafe impl Send for Images {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Images {}

impl Images {
    /// Takes over what the engine returned, and checks every pointer and size.
    ///
    /// # Errors
    /// What is wrong; the array is freed then too.
    ///
    /// # Safety
    /// `array` is NULL, or an array of `count` pictures from this table's engine that nobody else
    /// owns, whose pixel pointers are NULL or point to width × height × channels bytes.
    pub(crate) unsafe fn take(
        table: Table,
        array: *mut sd_image_t,
        count: u32,
    ) -> Result<Self, String> {
        let array = NonNull::new(array).ok_or("the engine returned no pictures")?;
        let length = i32::try_from(count).map_err(|_| format!("{count} pictures are too many"))?;
        // Made first, so that an early return frees the array.
        let mut images = Self { array, count: length, checked: Vec::new(), table };
        // SAFETY: the caller vouches for `count` elements.
        let raw = unsafe { slice::from_raw_parts(array.as_ptr(), count as usize) };
        for (index, image) in raw.iter().enumerate() {
            let shape = Shape { width: image.width, height: image.height, channels: image.channel };
            let bytes = shape.bytes().filter(|_| matches!(shape.channels, 1 | 3 | 4));
            let (Some(bytes), Some(data)) = (bytes, NonNull::new(image.data)) else {
                return Err(format!("picture {index} of the engine has no pixels ({shape:?})"));
            };
            images.checked.push((shape, data, bytes));
        }
        Ok(images)
    }

    pub(crate) fn len(&self) -> usize {
        self.checked.len()
    }

    /// The shape of one picture; zero for an index that is not there.
    pub(crate) fn shape(&self, index: usize) -> Shape {
        self.checked.get(index).map(|(shape, ..)| *shape).unwrap_or_default()
    }

    /// The pixels of one picture; none for an index that is not there.
    pub(crate) fn bytes(&self, index: usize) -> &[u8] {
        match self.checked.get(index) {
            // SAFETY: `take` checked pointer and length, and the memory lives and stays unchanged
            // until `self` is dropped.
            Some((_, data, length)) => unsafe { slice::from_raw_parts(data.as_ptr(), *length) },
            None => &[],
        }
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        // SAFETY: the array is ours, from this table's engine, and freed once.
        unsafe { (self.table.images_free)(self.array.as_ptr(), self.count) }
    }
}
