//! The VAE in tiles, for less memory.

use crate::{Result, setters::setters, validate};

/// Decodes (and encodes) the picture in overlapping tiles: less memory, a little slower.
///
/// ```
/// use sdcpp::{ImageRequest, VaeTiling};
///
/// let request = ImageRequest::new("a mural").size(2048, 2048).vae_tiling(VaeTiling::default());
/// # drop(request);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = crate::json::schema::finish::<Self>))]
#[non_exhaustive]
pub struct VaeTiling {
    /// Tile width and height in latent units (8 pixels for most models), 4 to 4096. Default 32.
    pub tile_size: (u32, u32),
    /// Tile width and height relative to the latent, each above 0 to 1000: up to 1 a share of it,
    /// above 1 how many tiles fit across. Replaces [`tile_size`](Self::tile_size).
    pub relative_size: Option<(f32, f32)>,
    /// Share of a tile that overlaps its neighbour, 0 to 0.5. Default 0.5.
    pub overlap: f32,
    /// Cuts videos in time too, in the VAEs that can (LTX). Default: no.
    pub temporal: bool,
    /// Further arguments of the VAE's own tiling, as `key=value,…` (LTX).
    pub extra_args: Option<String>,
}

impl Default for VaeTiling {
    fn default() -> Self {
        Self {
            tile_size: (32, 32),
            relative_size: None,
            overlap: 0.5,
            temporal: false,
            extra_args: None,
        }
    }
}

setters! {
    VaeTiling {
        plain overlap: f32;
        plain temporal: bool;
        some relative_size: (f32, f32);
        text extra_args;
    }
}

impl VaeTiling {
    /// Tiles of this width and height in latent units.
    pub fn with_tile_size(width: u32, height: u32) -> Self {
        Self { tile_size: (width, height), ..Self::default() }
    }

    pub(crate) fn check(&self) -> Result<()> {
        validate::range("vae_tiling.tile_size", self.tile_size.0, 4..=4096)?;
        validate::range("vae_tiling.tile_size", self.tile_size.1, 4..=4096)?;
        validate::range("vae_tiling.overlap", self.overlap, 0.0..=0.5)?;
        if let Some((x, y)) = self.relative_size {
            validate::range("vae_tiling.relative_size", x, 0.001..=1000.0)?;
            validate::range("vae_tiling.relative_size", y, 0.001..=1000.0)?;
        }
        match &self.extra_args {
            Some(args) => validate::text("vae_tiling.extra_args", args),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_checked_by_name() {
        let refused = |t: VaeTiling| t.check().unwrap_err().to_string();
        let new = VaeTiling::default;
        assert!(new().check().is_ok());
        assert!(refused(VaeTiling::with_tile_size(1, 32)).starts_with("vae_tiling.tile_size is 1"));
        assert!(refused(new().overlap(1.0)).starts_with("vae_tiling.overlap is 1"));
        assert!(
            refused(new().relative_size((0.5, 0.0))).starts_with("vae_tiling.relative_size is 0")
        );
        assert!(refused(new().extra_args("a\0")).starts_with("vae_tiling.extra_args is"));
    }
}
