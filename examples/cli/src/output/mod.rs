//! Names of result files, and writing them whole or not at all.

mod name;
mod write;

pub(crate) use name::Names;
pub(crate) use write::{Drawn, atomically, png_bytes, to_stdout};
