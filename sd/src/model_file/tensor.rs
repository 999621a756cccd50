//! What a header says of one tensor.

use std::fmt;

/// The type of a tensor's weights, by the name the file's format has for it.
///
/// ```
/// # fn main() -> sdcpp::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("m.safetensors");
/// # let header = r#"{"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}"#;
/// # let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
/// # bytes.extend(header.as_bytes());
/// # bytes.extend([0; 12]);
/// # std::fs::write(&path, bytes).unwrap();
/// let file = sdcpp::ModelFile::open(path)?;
/// let tensor = file.tensor("a").unwrap();
/// assert_eq!(tensor.tensor_type().name(), "f16");
/// assert_eq!(tensor.tensor_type().bits(), 16.0);
/// assert!(!tensor.tensor_type().is_quantised());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorType {
    name: &'static str,
    block: u64,
    bytes: u64,
}

impl TensorType {
    pub(super) const F32: Self = Self::new("f32", 1, 4);

    const fn new(name: &'static str, block: u64, bytes: u64) -> Self {
        Self { name, block, bytes }
    }

    /// The name in lower case, as in `f16`, `q8_0` or `q4_K`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Bits for one weight, with its share of a block's scales.
    pub fn bits(self) -> f64 {
        self.bytes as f64 * 8.0 / self.block as f64
    }

    /// Whether weights have fewer bits than a 16-bit float.
    pub fn is_quantised(self) -> bool {
        self.bits() < 16.0 && !self.name.starts_with(['i', 'u', 'b']) || self.name.starts_with("iq")
    }

    /// Whether they are whole numbers, which nothing is multiplied with.
    pub(super) fn is_integer(self) -> bool {
        let whole = self.name.starts_with('i') && !self.name.starts_with("iq");
        whole || self.name.starts_with('u') || self.name == "bool"
    }

    /// ggml's number: sizes of the `block_*` structs of ggml-common.h.
    pub(super) fn from_ggml(kind: u32) -> Option<Self> {
        let (name, block, bytes) = match kind {
            0 => return Some(Self::F32),
            1 => ("f16", 1, 2),
            2 => ("q4_0", 32, 18),
            3 => ("q4_1", 32, 20),
            6 => ("q5_0", 32, 22),
            7 => ("q5_1", 32, 24),
            8 => ("q8_0", 32, 34),
            9 => ("q8_1", 32, 36),
            10 => ("q2_K", 256, 84),
            11 => ("q3_K", 256, 110),
            12 => ("q4_K", 256, 144),
            13 => ("q5_K", 256, 176),
            14 => ("q6_K", 256, 210),
            15 => ("q8_K", 256, 292),
            16 => ("iq2_xxs", 256, 66),
            17 => ("iq2_xs", 256, 74),
            18 => ("iq3_xxs", 256, 98),
            19 => ("iq1_s", 256, 50),
            20 => ("iq4_nl", 32, 18),
            21 => ("iq3_s", 256, 110),
            22 => ("iq2_s", 256, 82),
            23 => ("iq4_xs", 256, 136),
            24 => ("i8", 1, 1),
            25 => ("i16", 1, 2),
            26 => ("i32", 1, 4),
            27 => ("i64", 1, 8),
            28 => ("f64", 1, 8),
            29 => ("iq1_m", 256, 56),
            30 => ("bf16", 1, 2),
            34 => ("tq1_0", 256, 54),
            35 => ("tq2_0", 256, 66),
            39 => ("mxfp4", 32, 17),
            40 => ("nvfp4", 64, 36),
            41 => ("q1_0", 128, 18),
            _ => return None,
        };
        Some(Self::new(name, block, bytes))
    }

    pub(super) fn from_safetensors(dtype: &str) -> Option<Self> {
        let (name, block, bytes) = match dtype {
            "F4" => ("f4", 2, 1),
            "F6_E2M3" => ("f6_e2m3", 4, 3),
            "F6_E3M2" => ("f6_e3m2", 4, 3),
            "BOOL" => ("bool", 1, 1),
            "U8" => ("u8", 1, 1),
            "I8" => ("i8", 1, 1),
            "F8_E5M2" => ("f8_e5m2", 1, 1),
            "F8_E4M3" => ("f8_e4m3", 1, 1),
            "F8_E8M0" => ("f8_e8m0", 1, 1),
            "I16" => ("i16", 1, 2),
            "U16" => ("u16", 1, 2),
            "F16" => ("f16", 1, 2),
            "BF16" => ("bf16", 1, 2),
            "I32" => ("i32", 1, 4),
            "U32" => ("u32", 1, 4),
            "F32" => return Some(Self::F32),
            "I64" => ("i64", 1, 8),
            "U64" => ("u64", 1, 8),
            "F64" => ("f64", 1, 8),
            "C64" => ("c64", 1, 8),
            _ => return None,
        };
        Some(Self::new(name, block, bytes))
    }

    /// Bytes of so many weights whose rows have `row` of them; none if rows do not end with a block.
    pub(super) fn bytes_of_rows(self, weights: u64, row: u64) -> Option<u64> {
        row.is_multiple_of(self.block).then(|| (weights / self.block).checked_mul(self.bytes))?
    }

    /// The type of this name, as in `q8_0`, among those that weights can be converted to.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        (0..64).filter_map(Self::from_ggml).find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// Whether rows of so many weights end with a block.
    pub(crate) fn has_rows_of(self, weights: u64) -> bool {
        weights.is_multiple_of(self.block)
    }

    /// Bytes of so many weights without rows, the last one padded.
    pub(crate) fn bytes_of(self, weights: u64) -> Option<u64> {
        weights.checked_mul(self.bytes).map(|bytes| bytes.div_ceil(self.block))
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

/// One tensor of a [`ModelFile`](crate::ModelFile), as its header describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) kind: TensorType,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) file: usize,
}

impl TensorInfo {
    /// Its name; in a diffusers folder with `unet.`, `vae.`, `te.` or `te.1.` before the file's own.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its dimensions, the outermost first, as PyTorch and safetensors have them. A linear layer is
    /// `[out, in]`.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The type of its weights.
    pub fn tensor_type(&self) -> TensorType {
        self.kind
    }

    /// Its size in the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it begins, from the start of its file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Which of [`ModelFile::files`](crate::ModelFile::files) it is in.
    pub fn file(&self) -> usize {
        self.file
    }

    /// The number of its weights.
    pub fn parameters(&self) -> u64 {
        product(&self.shape).unwrap_or(u64::MAX)
    }

    /// The dimension `index` counted from the innermost; 1 where there is none, and the engine's
    /// fourth has all that are further out.
    pub(super) fn inner(&self, index: usize) -> u64 {
        let mut inner = self.shape.iter().rev();
        match index {
            3 => inner.skip(3).fold(1, |all, d| all.saturating_mul(*d)),
            _ => inner.nth(index).copied().unwrap_or(1),
        }
    }
}

/// The number of weights, if it can be told.
pub(super) fn product(dimensions: &[u64]) -> Option<u64> {
    dimensions.iter().try_fold(1_u64, |all, d| all.checked_mul(*d))
}

/// A shape as text: `640×2048`.
pub(super) fn shape_text(shape: &[u64]) -> String {
    match shape {
        [] => "a number".to_owned(),
        shape => shape.iter().map(u64::to_string).collect::<Vec<_>>().join("×"),
    }
}
