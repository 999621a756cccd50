//! A whisper model with random weights, as whisper.cpp reads it from a file.

/// Token numbers are fixed in whisper.cpp, so the vocabulary has its real size.
const VOCABULARY: usize = 51_864;
/// Tokens from here up are whisper.cpp's own, and get their names from it.
const WORDS: usize = 50_256;
const STATE: usize = 32;
const HEADS: usize = 2;
/// With another number whisper.cpp does not know what size of model it is.
const AUDIO_LAYERS: usize = 4;
const TEXT_LAYERS: usize = 1;
/// Thirty seconds.
const AUDIO_CONTEXT: usize = 1500;
const TEXT_CONTEXT: usize = 448;
const MELS: usize = 80;
/// Numbers of types of tensors.
const F32: usize = 0;
const F16: usize = 1;
/// Frequencies of a window of 400 samples.
const FREQUENCIES: usize = 201;

/// The bytes of the file, always the same.
pub(crate) fn file() -> Vec<u8> {
    let mut file = File { bytes: Vec::new(), random: fastrand::Rng::with_seed(1) };
    file.bytes.extend(0x6767_6d6c_u32.to_le_bytes());
    let sizes = [
        VOCABULARY,
        AUDIO_CONTEXT,
        STATE,
        HEADS,
        AUDIO_LAYERS,
        TEXT_CONTEXT,
        STATE,
        HEADS,
        TEXT_LAYERS,
        MELS,
        F16,
    ];
    file.numbers(&sizes);
    file.numbers(&[MELS, FREQUENCIES]);
    file.values(MELS * FREQUENCIES, 0.0, 0.01);
    file.numbers(&[WORDS]);
    for word in 0..WORDS {
        // whisper.cpp looks up the blank.
        let word = if word == 0 { " ".to_owned() } else { format!(" w{word}") };
        file.numbers(&[word.len()]);
        file.bytes.extend(word.as_bytes());
    }
    file.encoder();
    file.decoder();
    file.bytes
}

struct File {
    bytes: Vec<u8>,
    random: fastrand::Rng,
}

impl File {
    /// 32 bits each.
    fn numbers(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.bytes.extend((*number as u32).to_le_bytes());
        }
    }

    fn values(&mut self, count: usize, middle: f32, spread: f32) {
        for _ in 0..count {
            let value = middle + spread * (self.random.f32() * 2.0 - 1.0);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    /// The innermost dimension comes first.
    fn tensor_head(&mut self, name: &str, kind: usize, shape: &[usize]) {
        self.numbers(&[shape.len(), name.len(), kind]);
        self.numbers(shape);
        self.bytes.extend(name.as_bytes());
    }

    fn tensor(&mut self, name: &str, shape: &[usize], middle: f32, spread: f32) {
        self.tensor_head(name, F32, shape);
        self.values(shape.iter().product(), middle, spread);
    }

    /// Weights that keep the size of what goes through them, `inputs` values at a time.
    fn weights(&mut self, name: &str, shape: &[usize], inputs: usize) {
        self.tensor_head(&format!("{name}.weight"), F16, shape);
        let spread = (3.0 / inputs as f32).sqrt();
        for _ in 0..shape.iter().product() {
            let value = spread * (self.random.f32() * 2.0 - 1.0);
            self.bytes.extend(half(value).to_le_bytes());
        }
    }

    fn linear(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.weights(name, &[inputs, outputs], inputs);
        self.tensor(&format!("{name}.bias"), &[outputs], 0.0, 0.1);
    }

    fn convolution(&mut self, name: &str, inputs: usize) {
        self.weights(name, &[3, inputs, STATE], 3 * inputs);
        self.tensor(&format!("{name}.bias"), &[1, STATE], 0.0, 0.1);
    }

    fn norm(&mut self, name: &str) {
        self.tensor(&format!("{name}.weight"), &[STATE], 1.0, 0.1);
        self.tensor(&format!("{name}.bias"), &[STATE], 0.0, 0.1);
    }

    fn attention(&mut self, name: &str) {
        self.norm(&format!("{name}_ln"));
        self.linear(&format!("{name}.query"), STATE, STATE);
        self.weights(&format!("{name}.key"), &[STATE, STATE], STATE);
        self.linear(&format!("{name}.value"), STATE, STATE);
        self.linear(&format!("{name}.out"), STATE, STATE);
    }

    fn perceptron(&mut self, block: &str) {
        self.norm(&format!("{block}.mlp_ln"));
        self.linear(&format!("{block}.mlp.0"), STATE, 4 * STATE);
        self.linear(&format!("{block}.mlp.2"), 4 * STATE, STATE);
    }

    fn encoder(&mut self) {
        self.tensor("encoder.positional_embedding", &[STATE, AUDIO_CONTEXT], 0.0, 1.0);
        self.convolution("encoder.conv1", MELS);
        self.convolution("encoder.conv2", STATE);
        self.norm("encoder.ln_post");
        for layer in 0..AUDIO_LAYERS {
            let block = format!("encoder.blocks.{layer}");
            self.attention(&format!("{block}.attn"));
            self.perceptron(&block);
        }
    }

    fn decoder(&mut self) {
        self.tensor("decoder.positional_embedding", &[STATE, TEXT_CONTEXT], 0.0, 1.0);
        self.weights("decoder.token_embedding", &[STATE, VOCABULARY], 3);
        self.norm("decoder.ln");
        for layer in 0..TEXT_LAYERS {
            let block = format!("decoder.blocks.{layer}");
            self.attention(&format!("{block}.attn"));
            self.attention(&format!("{block}.cross_attn"));
            self.perceptron(&block);
        }
    }
}

/// The 16-bit float next to `value` towards 0; below 2^-14 it is 0. For values up to 65504.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    match (bits >> 13 & 0x3_ffff).checked_sub(112 << 10) {
        Some(rest) if rest >= 1 << 10 => sign | rest as u16,
        _ => sign,
    }
}
