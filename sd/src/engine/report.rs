//! The shim's report of one call.

use super::text;
use crate::{error::EngineReport, stage::Stage};
use sdcpp_sys::{Table, sdcpp_report};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Failed,
    Stopped,
    OutOfMemory,
    Assert,
    Exception,
    /// The shim refused the arguments, or the number is unknown.
    Invalid,
}

impl Status {
    pub(crate) fn from_shim(value: i32) -> Self {
        match value {
            sdcpp_sys::SDCPP_STATUS_OK => Self::Ok,
            sdcpp_sys::SDCPP_STATUS_FAILED => Self::Failed,
            sdcpp_sys::SDCPP_STATUS_STOPPED => Self::Stopped,
            sdcpp_sys::SDCPP_STATUS_OUT_OF_MEMORY => Self::OutOfMemory,
            sdcpp_sys::SDCPP_STATUS_ASSERT => Self::Assert,
            sdcpp_sys::SDCPP_STATUS_EXCEPTION => Self::Exception,
            _ => Self::Invalid,
        }
    }
}

/// A report to be filled by the shim; freed when dropped.
pub(crate) struct Report {
    raw: sdcpp_report,
    table: Table,
}

/// What a report said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) stage: Stage,
    pub(crate) report: EngineReport,
}

impl Report {
    pub(crate) fn new(table: Table) -> Self {
        let raw = sdcpp_report {
            status: 0,
            stage: 0,
            message: std::ptr::null_mut(),
            errors: std::ptr::null_mut(),
        };
        Self { raw, table }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut sdcpp_report {
        &mut self.raw
    }

    pub(crate) fn take(self) -> Ended {
        // SAFETY: the shim left NULL or a NUL-terminated string of its own in both, which stay until
        // the report is cleared in `drop`.
        let (message, errors) = unsafe { (text(self.raw.message), text(self.raw.errors)) };
        Ended {
            stage: Stage::from_shim(self.raw.stage),
            report: EngineReport {
                message,
                lines: errors.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect(),
            },
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        // SAFETY: the report is ours, and its strings are NULL or the shim's own.
        unsafe { (self.table.report_clear)(&mut self.raw) }
    }
}
