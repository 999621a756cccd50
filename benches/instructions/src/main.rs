//! Draws so many pictures with the mock engine, which does no work of an engine: what is left is the work of
//! the crate. `scripts/instructions.sh` counts it.

use sdcpp::{Context, ImageRequest, ModelConfig, Watch, mock};
use std::ops::ControlFlow;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pictures: u32 = std::env::args().nth(1).ok_or("how many pictures?")?.parse()?;
    let mut context =
        Context::open(&mock::engine(), ModelConfig::new("mock").threads(1), Watch::new())?;
    let request = ImageRequest::new("a red circle").size(64, 64).steps(4).seed(42);
    let mut told = 0_u32;
    for _ in 0..pictures {
        let watch = Watch::new().on_progress(|_| {
            told += 1;
            ControlFlow::Continue(())
        });
        let generated = context.generate_with(&request, watch)?;
        let picture = generated.first().ok_or("no picture")?;
        assert_eq!(picture.as_bytes().len(), 64 * 64 * 3);
    }
    assert!(told >= pictures * 4, "{told} reports of {pictures} pictures");
    Ok(())
}
