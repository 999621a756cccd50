//! The VAE in tiles.

use crate::values::Pair;
use clap::Args;
use sdcpp::VaeTiling;

/// The VAE in tiles. Any of these switches tiling on, but for the fallback.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "VAE tiling")]
pub(crate) struct TilingOptions {
    /// Decode in tiles, for less memory; else SD_VAE_TILING
    #[arg(long)]
    vae_tiling: bool,
    /// Tile size in latent units (8 pixels), as 32x32 or 32 [default: 32x32]
    #[arg(long, value_name = "XxY")]
    vae_tile_size: Option<Pair<u32>>,
    /// Tile size as a share of the picture (below 1), or how many tiles (1 and above)
    #[arg(long, value_name = "XxY")]
    vae_relative_tile_size: Option<Pair<f32>>,
    /// Share of a tile that overlaps its neighbour, 0 to 0.5 [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    vae_tile_overlap: Option<f32>,
    /// Cut videos in time too (LTX)
    #[arg(long)]
    temporal_tiling: bool,
    /// Further arguments of the VAE's tiling, as key=value,…
    #[arg(long, value_name = "ARGS")]
    extra_tiling_args: Option<String>,
    /// Decode again in tiles if memory runs out while decoding in one piece
    #[arg(long)]
    vae_tiling_fallback: bool,
}

impl TilingOptions {
    /// Sets what is given.
    pub(crate) fn apply(&self, target: &mut Option<VaeTiling>, fallback: &mut bool) {
        *fallback |= self.vae_tiling_fallback;
        let asked = self.vae_tiling
            || self.vae_tile_size.is_some()
            || self.vae_relative_tile_size.is_some()
            || self.vae_tile_overlap.is_some()
            || self.temporal_tiling
            || self.extra_tiling_args.is_some();
        if !asked {
            return;
        }
        let mut tiling = target.take().unwrap_or_default();
        if let Some(Pair(x, y)) = self.vae_tile_size {
            tiling.tile_size = (x, y);
        }
        if let Some(Pair(x, y)) = self.vae_relative_tile_size {
            tiling.relative_size = Some((x, y));
        }
        tiling.overlap = self.vae_tile_overlap.unwrap_or(tiling.overlap);
        tiling.temporal |= self.temporal_tiling;
        tiling.extra_args = self.extra_tiling_args.clone().or(tiling.extra_args);
        *target = Some(tiling);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_option_switches_tiling_on() {
        let mut tiling = None;
        let mut fallback = false;
        TilingOptions::default().apply(&mut tiling, &mut fallback);
        assert_eq!((&tiling, fallback), (&None, false));
        let options = TilingOptions { vae_tiling_fallback: true, ..TilingOptions::default() };
        options.apply(&mut tiling, &mut fallback);
        assert_eq!((&tiling, fallback), (&None, true));
        let options =
            TilingOptions { vae_tile_size: Some(Pair(16, 8)), ..TilingOptions::default() };
        options.apply(&mut tiling, &mut fallback);
        assert_eq!(tiling, Some(VaeTiling::with_tile_size(16, 8)));
        let relative = TilingOptions {
            vae_relative_tile_size: Some(Pair(0.5, 2.0)),
            vae_tile_overlap: Some(0.25),
            ..TilingOptions::default()
        };
        relative.apply(&mut tiling, &mut fallback);
        let expected = VaeTiling::with_tile_size(16, 8).relative_size((0.5, 2.0)).overlap(0.25);
        assert_eq!(tiling, Some(expected));
    }
}
