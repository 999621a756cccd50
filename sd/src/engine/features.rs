//! What the processor must have that an engine was built for.

use crate::{Error, Result};

/// A vector extension that engines are built for.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "none of others is looked at"))]
pub(super) struct Feature {
    /// As `is_x86_feature_detected!` has it.
    pub(super) name: &'static str,
    /// As [`Engine::system_info`](crate::Engine::system_info) has it, if it does.
    pub(super) engine_name: Option<&'static str>,
    pub(super) here: bool,
}

/// That this processor has all of the features that are needed.
pub(super) fn check(needed: impl Fn(&Feature) -> bool) -> Result<()> {
    #[cfg(target_arch = "x86_64")]
    let features = {
        macro_rules! features {
            ($($name:tt $engine_name:expr;)*) => {
                [$(Feature {
                    name: $name,
                    engine_name: $engine_name,
                    here: is_x86_feature_detected!($name),
                }),*]
            };
        }
        features! {
            "avx512bf16" Some("AVX512_BF16");
            "avx512vnni" Some("AVX512_VNNI");
            "avx512vbmi" Some("AVX512_VBMI");
            "avx512f" Some("AVX512");
            "avxvnni" Some("AVX_VNNI");
            "avx2" Some("AVX2");
            "fma" Some("FMA");
            "f16c" Some("F16C");
            "bmi2" None;
            "avx" None;
            "sse4.2" None;
        }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let features: [Feature; 0] = [];
    match features.iter().find(|feature| !feature.here && needed(feature)) {
        Some(missing) => Err(Error::Unsupported {
            what: "the engine on this processor".to_owned(),
            reason: format!(
                "it was built for {}, which this one lacks; build it here, or without the feature `native`",
                missing.name
            ),
        }),
        None => Ok(()),
    }
}
