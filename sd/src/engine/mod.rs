//! The one room where raw pointers live: everything that touches the engine's table.
//!
//! - [`Engine`]: the table and what can be asked without a model;
//! - `call`: one call, its hooks and its report;
//! - `context`: a loaded model;
//! - `features`: what the processor must have;
//! - `images`: pixels the engine allocated;
//! - `params`: Rust structs as the engine's.

mod call;
mod context;
#[cfg(feature = "dynamic")]
pub(crate) mod driver;
#[cfg(any(feature = "static", feature = "dynamic"))]
mod features;
mod images;
#[cfg(feature = "dynamic")]
mod library;
mod log;
mod params;
mod report;
#[cfg(test)]
mod tests;
mod tools;
mod upscaler;

pub(crate) use call::{Outcome, panic_message};
pub(crate) use context::RawContext;
pub(crate) use images::{Images, Shape};
#[cfg(feature = "isolated")]
pub(crate) use log::escape;
pub(crate) use params::{ImageJob, VideoJob};
pub(crate) use report::Status;
pub(crate) use tools::{CannyThresholds, ConvertOptions, convert, preprocess_canny};
pub(crate) use upscaler::{RawUpscaler, UpscalerOptions};

use crate::{Error, Result};
use once_cell::sync::OnceCell;
use report::Report;
use sdcpp_sys::{Table, sdcpp_device};
use std::{
    ffi::{CStr, CString, c_char},
    path::Path,
    sync::Arc,
};

/// An engine: the table of functions that reaches it. Clones are cheap.
///
/// Each [`Context`](crate::Context) holds its own, so that engines of different origin (linked, and
/// mocks in tests) live side by side in one program.
#[derive(Clone)]
pub struct Engine {
    pub(crate) table: Table,
    /// Whether no model files are needed.
    pub(crate) mock: bool,
    /// The library that it was opened from.
    pub(crate) library: Option<Arc<Path>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("version", &self.version())
            .field("mock", &self.mock)
            .finish_non_exhaustive()
    }
}

/// A device the engine can compute on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Name, as [`ModelConfig::backend`](crate::ModelConfig::backend) takes it.
    pub name: String,
    /// The hardware, in the driver's words.
    pub description: String,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// Free memory in bytes, now.
    pub memory_free: u64,
    /// Memory in bytes.
    pub memory_total: u64,
}

#[cfg(test)]
impl Device {
    /// The processor of a machine that is made up.
    pub(crate) fn cpu() -> Self {
        Self::made_up("CPU", DeviceKind::Cpu)
    }

    /// And a card.
    pub(crate) fn cuda() -> Self {
        Self::made_up("CUDA0", DeviceKind::Gpu)
    }

    fn made_up(name: &str, kind: DeviceKind) -> Self {
        let (memory_free, memory_total) = (0, 0);
        Self { name: name.to_owned(), description: String::new(), kind, memory_free, memory_total }
    }
}

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The processor, with the system's memory.
    Cpu,
    /// A graphics card with its own memory.
    Gpu,
    /// A graphics unit that shares the system's memory.
    IntegratedGpu,
    /// Something that helps the processor (BLAS, AMX).
    Accelerator,
    /// A kind this crate has no name for.
    Other,
}

impl DeviceKind {
    fn from_engine(value: i32) -> Self {
        const CPU: i32 = sdcpp_sys::GGML_BACKEND_DEVICE_TYPE_CPU as i32;
        const GPU: i32 = sdcpp_sys::GGML_BACKEND_DEVICE_TYPE_GPU as i32;
        const IGPU: i32 = sdcpp_sys::GGML_BACKEND_DEVICE_TYPE_IGPU as i32;
        const ACCEL: i32 = sdcpp_sys::GGML_BACKEND_DEVICE_TYPE_ACCEL as i32;
        match value {
            CPU => Self::Cpu,
            GPU => Self::Gpu,
            IGPU => Self::IntegratedGpu,
            ACCEL => Self::Accelerator,
            _ => Self::Other,
        }
    }
}

impl Engine {
    /// The engine that is used where none is named: [`Context::new`](crate::Context::new) and its
    /// like take it. It is chosen once, at the first call that succeeds:
    ///
    /// - with the feature `static` the linked one;
    /// - with `dynamic` alone, or where `SDCPP_LIBRARY` is set, that of `Backend::best`.
    ///
    /// # Errors
    /// Those of `Engine::linked` and `Backend::best`; [`Error::Unsupported`] in a build with
    /// neither feature.
    pub fn auto() -> Result<Self> {
        static CHOSEN: OnceCell<Engine> = OnceCell::new();
        CHOSEN.get_or_try_init(Self::choose).cloned()
    }

    #[cfg(feature = "dynamic")]
    fn choose() -> Result<Self> {
        #[cfg(feature = "static")]
        if std::env::var_os("SDCPP_LIBRARY").is_none_or(|value| value.is_empty()) {
            return Self::linked();
        }
        let best = crate::Backend::best()?;
        tracing::info!("computing on {best}");
        Ok(best.engine)
    }

    #[cfg(all(feature = "static", not(feature = "dynamic")))]
    fn choose() -> Result<Self> {
        Self::linked()
    }

    #[cfg(not(any(feature = "static", feature = "dynamic")))]
    fn choose() -> Result<Self> {
        Err(Error::Unsupported {
            what: "drawing".to_owned(),
            reason:
                "this program was built without an engine: it needs one of the features `static` \
                     and `dynamic` of sdcpp"
                    .to_owned(),
        })
    }

    /// The engine linked into this program.
    ///
    /// # Errors
    /// [`Error::EngineTable`] if the linked library does not fit this crate;
    /// [`Error::Unsupported`] if it was built for a newer processor than this machine's.
    #[cfg(feature = "static")]
    pub fn linked() -> Result<Self> {
        static LINKED: OnceCell<Engine> = OnceCell::new();
        LINKED
            .get_or_try_init(|| {
                // Before any of its code runs.
                features::check(|feature| {
                    sdcpp_sys::NEEDED_FEATURES.split(' ').any(|needed| needed == feature.name)
                })?;
                let engine = Self::of(sdcpp_sys::Table::linked()?);
                // First, as the check makes ggml look for devices, of which it says something.
                engine.route_stray_log_lines();
                engine.check_processor()?;
                Ok(engine)
            })
            .cloned()
    }

    /// An engine reached through a table from elsewhere.
    ///
    /// # Safety
    /// The functions must keep the promises of `sdcpp_shim.h` for as long as anything made from
    /// this engine lives.
    pub unsafe fn from_table(table: Table) -> Self {
        let engine = Self::of(table);
        engine.route_stray_log_lines();
        engine
    }

    pub(crate) fn of(table: Table) -> Self {
        Self { table, mock: false, library: None }
    }

    /// The library that it was opened from at run time; none for a linked one.
    pub fn library(&self) -> Option<&Path> {
        self.library.as_deref()
    }

    /// Lines of the engine's own threads belong to no call; they go to `tracing` like the others.
    fn route_stray_log_lines(&self) {
        // SAFETY: the function may be called at any time, and the callback is a plain function that
        // lives as long as the program.
        unsafe { (self.table.set_default_log)(Some(log::stray_line)) }
    }

    /// An engine built for AVX2 or AVX-512 dies of SIGILL on a processor without. Of one that was opened at run
    /// time only its own word is there, for which some of its code runs.
    #[cfg(any(feature = "static", feature = "dynamic"))]
    fn check_processor(&self) -> Result<()> {
        let built_for = self.system_info();
        features::check(|feature| {
            feature.engine_name.is_some_and(|name| built_for.contains(&format!("{name} = 1")))
        })
    }

    /// Upstream version of the engine.
    pub fn version(&self) -> String {
        // SAFETY: returns NULL or a static string.
        unsafe { text((self.table.version)()) }
    }

    /// Upstream commit of the engine.
    pub fn commit(&self) -> String {
        // SAFETY: returns NULL or a static string.
        unsafe { text((self.table.commit)()) }
    }

    /// What the engine was built for, in its own words.
    pub fn system_info(&self) -> String {
        // SAFETY: returns NULL or a static string.
        unsafe { text((self.table.system_info)()) }
    }

    /// Physical processor cores, or fewer if the process may not use them all, as in a container or beneath
    /// `taskset`: the default number of threads. On Windows an estimate: half of the logical ones, where there
    /// are more than four.
    pub fn physical_cores(&self) -> u32 {
        // SAFETY: has no arguments and no preconditions.
        let cores = unsafe { (self.table.physical_cores)() };
        let usable = std::thread::available_parallelism().map_or(1024, |count| count.get());
        usable_cores(cores, usable)
    }

    /// The devices this build can compute on, with their memory. Needs no model.
    ///
    /// # Errors
    /// [`Error::Engine`] if the engine cannot tell.
    pub fn devices(&self) -> Result<Vec<Device>> {
        // SAFETY: has no arguments and no preconditions.
        let count = unsafe { (self.table.device_count)() };
        (0..count).map(|index| self.device(index)).collect()
    }

    fn device(&self, index: usize) -> Result<Device> {
        let mut report = Report::new(self.table);
        let mut device = sdcpp_device {
            name: std::ptr::null(),
            description: std::ptr::null(),
            type_: 0,
            memory_free: 0,
            memory_total: 0,
        };
        // SAFETY: both pointers are to live, writable values; the index is checked by the shim.
        let status = unsafe { (self.table.device_get)(index, &mut device, report.as_mut_ptr()) };
        if Status::from_shim(status) != Status::Ok {
            let ended = report.take();
            return Err(Error::Engine { stage: ended.stage, report: Box::new(ended.report) });
        }
        // SAFETY: the engine's device names are strings that live as long as the program.
        let (name, description) = unsafe { (text(device.name), text(device.description)) };
        Ok(Device {
            name,
            description,
            kind: DeviceKind::from_engine(device.type_),
            memory_free: device.memory_free,
            memory_total: device.memory_total,
        })
    }

    /// Whether the engine's regular expressions take the patterns of `pattern=type,…`.
    pub(crate) fn check_type_rules(&self, rules: &str) -> Result<()> {
        rules
            .split(',')
            .filter_map(|rule| rule.split_once('='))
            .try_for_each(|(pattern, _)| self.check_pattern(pattern))
    }

    fn check_pattern(&self, pattern: &str) -> Result<()> {
        let field = "tensor_type_rules";
        let c_pattern = CString::new(pattern)
            .map_err(|_| Error::invalid(field, format!("{pattern:?}"), "text without NUL"))?;
        let mut report = Report::new(self.table);
        // SAFETY: a NUL-terminated string and a report, both alive during the call.
        let status = unsafe { (self.table.pattern_check)(c_pattern.as_ptr(), report.as_mut_ptr()) };
        match Status::from_shim(status) {
            Status::Ok => Ok(()),
            _ => Err(Error::invalid(
                field,
                format!("{pattern:?} ({})", report.take().report.message),
                "ECMAScript regular expressions",
            )),
        }
    }
}

/// What the engine counts, as far as it can be true, and what the process may use at once.
fn usable_cores(cores: i32, usable: usize) -> u32 {
    let usable = u32::try_from(usable).unwrap_or(u32::MAX).clamp(1, 1024);
    u32::try_from(cores).unwrap_or(1).clamp(1, usable)
}

/// Copies a C string; NULL is empty, and bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that nobody changes meanwhile.
pub(crate) unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
