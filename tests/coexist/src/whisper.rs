//! whisper.cpp, linked in with its ggml.

use crate::{Failure, model};
use std::ffi::CStr;
use whisper_rs_sys as sys;

/// A model of whisper.cpp.
pub(crate) struct Whisper(*mut sys::whisper_context);

// SAFETY: whisper.cpp keeps nothing of a context by thread; `hear` takes it whole.
unsafe impl Send for Whisper {}

/// What comes out of it.
#[derive(PartialEq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    tokens: Vec<i32>,
    /// Of the last token.
    logits: Vec<f32>,
}

impl Whisper {
    /// Loads the random model.
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut file = model::file();
        // SAFETY: the function takes no pointer.
        let mut parameters = unsafe { sys::whisper_context_default_params() };
        parameters.use_gpu = false;
        // SAFETY: the bytes are there during the call, which copies what it needs.
        let context = unsafe {
            sys::whisper_init_from_buffer_with_params(
                file.as_mut_ptr().cast(),
                file.len(),
                parameters,
            )
        };
        if context.is_null() {
            Err("whisper.cpp refuses the model".into())
        } else {
            Ok(Self(context))
        }
    }

    /// Listens to two seconds of a tone that rises from `pitch`, in Hz.
    pub(crate) fn hear(&mut self, pitch: f32) -> Result<Heard, Failure> {
        let samples: Vec<f32> = (0_u16..32_000)
            .map(|i| f32::from(i) / 16_000.0)
            .map(|seconds| (seconds * std::f32::consts::TAU * pitch * (1.0 + seconds)).sin() * 0.5)
            .collect();
        // SAFETY: the function takes no pointer.
        let mut parameters = unsafe {
            sys::whisper_full_default_params(sys::whisper_sampling_strategy_WHISPER_SAMPLING_GREEDY)
        };
        parameters.n_threads = 1;
        // Three seconds, for less to compute.
        parameters.audio_ctx = 150;
        parameters.max_tokens = 16;
        parameters.no_timestamps = true;
        parameters.single_segment = true;
        parameters.temperature_inc = 0.0;
        parameters.print_progress = false;
        // SAFETY: the context is whole, and nobody else uses it; the samples are there during the call.
        let code = unsafe {
            sys::whisper_full(self.0, parameters, samples.as_ptr(), samples.len() as i32)
        };
        if code != 0 {
            return Err(format!("whisper_full: {code}").into());
        }
        self.heard()
    }

    fn heard(&mut self) -> Result<Heard, Failure> {
        // SAFETY: the context has been listened with; segments and tokens are asked for by numbers that
        // are below their counts, and texts and logits are copied before the context changes.
        unsafe {
            if sys::whisper_full_n_segments(self.0) < 1 {
                return Err("whisper.cpp has heard nothing".into());
            }
            let text = CStr::from_ptr(sys::whisper_full_get_segment_text(self.0, 0));
            let tokens = (0..sys::whisper_full_n_tokens(self.0, 0))
                .map(|i| sys::whisper_full_get_token_id(self.0, 0, i))
                .collect();
            let count = sys::whisper_n_vocab(self.0) as usize;
            let logits = std::slice::from_raw_parts(sys::whisper_get_logits(self.0), count);
            Ok(Heard { text: text.to_str()?.to_owned(), tokens, logits: logits.to_vec() })
        }
    }
}

impl Drop for Whisper {
    fn drop(&mut self) {
        // SAFETY: it is whole, and used no more.
        unsafe { sys::whisper_free(self.0) }
    }
}

impl Heard {
    /// Fails if nothing was computed that could go wrong.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let words = self.text.split_whitespace().count();
        let finite = self.logits.iter().filter(|logit| logit.is_finite());
        let (least, most) =
            finite.fold((f32::MAX, f32::MIN), |(a, b), logit| (a.min(*logit), b.max(*logit)));
        if words < 4 || most - least < 1.0 {
            return Err(format!("{words} words, logits from {least} to {most}").into());
        }
        Ok(())
    }
}
