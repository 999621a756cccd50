//! What memory the process has and can still get.

#[cfg(target_os = "linux")]
use super::linux;

/// Memory of this process, in bytes. Fields that the system does not tell are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessMemory {
    /// Resident set size: pages in main memory, shared ones counted in full.
    pub resident: u64,
    /// The most that [`resident`](Self::resident) ever was. Linux.
    pub peak: Option<u64>,
    /// Proportional set size: shared pages divided by the number of processes that share them. Pages
    /// that this process maps twice, as two contexts of one file do, count once. Linux.
    pub proportional: Option<u64>,
    /// Pages that belong to no file, and so can only be swapped out. Linux.
    pub anonymous: Option<u64>,
}

impl ProcessMemory {
    /// Asks the system, which takes some milliseconds for gigabytes; none if it does not tell.
    ///
    /// ```
    /// let memory = sdcpp::ProcessMemory::now().expect("Linux, macOS and Windows tell");
    /// assert!(memory.resident > 0);
    /// ```
    pub fn now() -> Option<Self> {
        #[cfg(target_os = "linux")]
        return linux::process("/".as_ref());
        #[cfg(not(target_os = "linux"))]
        return other::process();
    }
}

/// Main memory that this process can still get, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AvailableMemory {
    /// What the system can give without swapping, caches of files included that it can drop; less if
    /// a control group that the process is in leaves less.
    pub physical: u64,
    /// Free swap that it may use. On macOS, which makes it as needed, the rest of the main memory.
    pub swap: u64,
    /// What limits on address space (`RLIMIT_AS`, as `ulimit -v` sets it) and data (`RLIMIT_DATA`)
    /// leave; none if there are none. Mapped files count towards them.
    pub address_space: Option<u64>,
}

impl AvailableMemory {
    /// Asks the system; none if it does not tell.
    pub fn now() -> Option<Self> {
        #[cfg(target_os = "linux")]
        return linux::available("/".as_ref());
        #[cfg(not(target_os = "linux"))]
        return other::available();
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{AvailableMemory, ProcessMemory};
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

    pub(super) fn process() -> Option<ProcessMemory> {
        let id = sysinfo::get_current_pid().ok()?;
        let mut system = System::new();
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), false, what);
        let resident = system.process(id)?.memory();
        Some(ProcessMemory { resident, ..ProcessMemory::default() })
    }

    pub(super) fn available() -> Option<AvailableMemory> {
        if !sysinfo::IS_SUPPORTED_SYSTEM {
            return None;
        }
        let mut system = System::new();
        system.refresh_memory();
        let physical = system.available_memory();
        let swap = if cfg!(target_os = "macos") {
            system.total_memory().saturating_sub(physical)
        } else {
            system.free_swap()
        };
        (system.total_memory() > 0).then_some(AvailableMemory {
            physical,
            swap,
            address_space: None,
        })
    }
}
