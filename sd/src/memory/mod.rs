//! Memory: what there is, and what a model and a picture need. `docs/memory.md` is about it.
//!
//! - `available`: what the process and the system have, on Linux from the files in `linux`;
//! - `model`: what the files of a configuration tell, `graph`: the engine's graphs by size;
//! - `estimate`: both together for a `job`; `placement` and `needs`: on which devices, and when;
//! - `admission`: the check before a model is opened and before it draws.

mod admission;
mod available;
mod display;
mod estimate;
mod graph;
mod job;
#[cfg(target_os = "linux")]
mod linux;
mod model;
mod needs;
mod placement;

pub(crate) use admission::{Admission, check_room};
pub use available::{AvailableMemory, ProcessMemory};
pub use estimate::{MemoryEstimate, PartMemory};
pub use placement::DeviceMemory;
pub(crate) use placement::{PartDevice, PartDevices, upscales_on_processor, with_convolutions};
