//! The user comment in EXIF data, where A1111 puts the text in JPEG and WebP files.

/// Numbers are stored in one of two orders.
struct Tiff<'a> {
    bytes: &'a [u8],
    big: bool,
}

const EXIF_FOLDER: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;

pub(super) fn user_comment(tiff: &[u8]) -> Option<String> {
    let big = match tiff.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let tiff = Tiff { bytes: tiff, big };
    let (_, exif) = tiff.entry(tiff.u32(4)?, EXIF_FOLDER)?;
    let (count, at) = tiff.entry(exif, USER_COMMENT)?;
    let at = usize::try_from(at).ok()?;
    let data = tiff.bytes.get(at..at.checked_add(usize::try_from(count).ok()?)?)?;
    tiff.comment(data)
}

impl Tiff<'_> {
    fn array<const N: usize>(&self, at: u32) -> Option<[u8; N]> {
        let at = usize::try_from(at).ok()?;
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }

    fn u16(&self, at: u32) -> Option<u16> {
        let bytes = self.array(at)?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: u32) -> Option<u32> {
        let bytes = self.array(at)?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Count and value (or offset) of an entry in the folder that begins there.
    fn entry(&self, folder: u32, tag: u16) -> Option<(u32, u32)> {
        let count = u32::from(self.u16(folder)?);
        (0..count).find_map(|index| {
            let at = folder.checked_add(2)?.checked_add(index * 12)?;
            if self.u16(at)? != tag {
                return None;
            }
            Some((self.u32(at.checked_add(4)?)?, self.u32(at.checked_add(8)?)?))
        })
    }

    /// Eight bytes say how the text is written. "UNICODE" is UTF-16, big-endian from A1111 (piexif)
    /// whatever the order of the numbers; of two readings, the one with more ASCII is right.
    fn comment(&self, data: &[u8]) -> Option<String> {
        let (kind, text) = data.split_at_checked(8)?;
        let text = match kind {
            b"UNICODE\0" => {
                let read = |unit: fn([u8; 2]) -> u16| {
                    let units = text.chunks_exact(2).filter_map(|two| two.try_into().ok());
                    let units: Vec<u16> = units.map(unit).collect();
                    let ascii = units.iter().filter(|unit| **unit < 128).count();
                    (ascii, String::from_utf16_lossy(&units))
                };
                let (big, little) = (read(u16::from_be_bytes), read(u16::from_le_bytes));
                if big.0 >= little.0 { big.1 } else { little.1 }
            }
            _ => String::from_utf8_lossy(text).into_owned(),
        };
        let text = text.trim_end_matches('\0');
        (!text.trim().is_empty()).then(|| text.to_owned())
    }
}
