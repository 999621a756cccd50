//! Linux: `/proc`, and the files of control groups.

use super::available::{AvailableMemory, ProcessMemory};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// Memory of this process, by the files below `root`.
pub(super) fn process(root: &Path) -> Option<ProcessMemory> {
    let status = fs::read_to_string(root.join("proc/self/status")).ok()?;
    // Not there where the kernel was built without it.
    let rollup = fs::read_to_string(root.join("proc/self/smaps_rollup")).unwrap_or_default();
    Some(ProcessMemory {
        resident: kib(&status, "VmRSS")?,
        peak: kib(&status, "VmHWM"),
        proportional: kib(&rollup, "Pss"),
        anonymous: kib(&rollup, "Anonymous").or_else(|| kib(&status, "RssAnon")),
    })
}

/// Main memory that can still be had, by the files below `root`.
pub(super) fn available(root: &Path) -> Option<AvailableMemory> {
    let text = |path: &str| fs::read_to_string(root.join(path)).ok();
    let system = text("proc/meminfo")?;
    let mut physical = kib(&system, "MemAvailable").or_else(|| kib(&system, "MemFree"))?;
    let mut swap = kib(&system, "SwapFree").unwrap_or(0);
    let groups = text("proc/self/cgroup").unwrap_or_default();
    for folder in memory_groups(&groups, root) {
        if let Some(left) = left_in_group(&folder) {
            physical = physical.min(left);
        }
        if let Some(left) = left(&folder, "memory.swap.max", "memory.swap.current") {
            swap = swap.min(left);
        }
    }
    let limits = text("proc/self/limits").unwrap_or_default();
    let status = text("proc/self/status").unwrap_or_default();
    let left_of = |limit: &str, used: &str| {
        Some(soft_limit(&limits, limit)?.saturating_sub(kib(&status, used)?))
    };
    let address_space =
        [left_of("Max address space", "VmSize"), left_of("Max data size", "VmData")];
    let address_space = address_space.into_iter().flatten().min();
    Some(AvailableMemory { physical, swap, address_space })
}

/// A value of `/proc/meminfo` and its like: `Name:    123 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.strip_prefix(':')?.trim().strip_suffix("kB")?;
        value.trim().parse::<u64>().ok()?.checked_mul(1024)
    })
}

/// A soft limit of `/proc/self/limits`; none if it is unlimited.
fn soft_limit(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The folders of all control groups with a memory limit that the process is in, the innermost first.
/// Where a container does not show its own place in the hierarchy, its outermost folder stands for it.
fn memory_groups(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mounted = root.join("sys/fs/cgroup");
    let mut folders = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(kinds), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let tops: &[_] = match kinds {
            // Version 2 has one hierarchy; beside version 1 it is mounted apart.
            "" => &[mounted.clone(), mounted.join("unified")],
            kinds if kinds.split(',').any(|kind| kind == "memory") => &[mounted.join("memory")],
            _ => continue,
        };
        // Neither out of the hierarchy nor to another place in it.
        let inner: PathBuf = Path::new(path)
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        for top in tops {
            folders.extend(inner.ancestors().map(|path| top.join(path)));
        }
    }
    folders
}

/// What a control group's limit leaves, with the caches of files that count towards it and can be
/// dropped.
fn left_in_group(folder: &Path) -> Option<u64> {
    let left = left(folder, "memory.max", "memory.current")
        .or_else(|| left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes"))?;
    let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let value = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse::<u64>().ok())
    };
    // Version 1 tells those of its own and with all groups below it.
    let cached = ["inactive_file", "active_file"]
        .map(|name| value(&format!("total_{name}")).or_else(|| value(name)).unwrap_or(0));
    Some(cached.iter().fold(left, |all, cached| all.saturating_add(*cached)))
}

fn left(folder: &Path, limit: &str, used: &str) -> Option<u64> {
    let number =
        |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    // `max` is no number; version 1 says it by one larger than any memory.
    let limit = number(limit).filter(|limit| *limit < 1 << 60)?;
    Some(limit.saturating_sub(number(used)?))
}

#[cfg(test)]
mod tests;
