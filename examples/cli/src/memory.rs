//! What a picture or video needs of memory, for plans.

use crate::report::Report;
use sdcpp::{Error, MemoryEstimate};
use serde_json::{Value, json};

/// Tells an estimate; of files whose headers say nothing there is none.
pub(crate) fn tell(
    report: &mut Report,
    estimate: Result<MemoryEstimate, Error>,
) -> Result<(), Error> {
    let estimate = match estimate {
        Ok(estimate) => estimate,
        Err(Error::Unsupported { .. }) => {
            report.set("memory", Value::Null);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    report.line(format!("memory by estimate: {estimate}"));
    let weights: Vec<_> = estimate
        .weights
        .iter()
        .map(|part| {
            json!({
                "component": part.component.to_string(),
                "allocated": part.allocated,
                "mapped": part.mapped,
            })
        })
        .collect();
    report.set(
        "memory",
        json!({
            "peak": estimate.peak(),
            "weights": weights,
            "text_encoding": estimate.text_encoding,
            "vae_encode": estimate.vae_encode,
            "sampling": estimate.sampling,
            "control_net": estimate.control_net,
            "vae_decode": estimate.vae_decode,
            "pixels": estimate.pixels,
            "rough": estimate.is_rough,
        }),
    );
    Ok(())
}
