//! How much of a device's memory something takes.

use crate::Outcome;
use sdcpp::{AvailableMemory, DeviceKind, Engine};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What `work` gives, and by how many bytes the free memory of the device was less meanwhile than before,
/// at the most. What other processes take counts too.
pub(crate) fn during<T>(
    engine: &Engine,
    device: &str,
    work: impl FnOnce() -> Outcome<T>,
) -> Outcome<(T, u64)> {
    let before = free(engine, device)?;
    let ended = AtomicBool::new(false);
    let (done, least) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut least = before;
            while !ended.load(Ordering::Acquire) {
                least = least.min(free(engine, device).unwrap_or(before));
                thread::sleep(Duration::from_millis(2));
            }
            least
        });
        let end = End(&ended);
        let done = work();
        drop(end);
        (done, watching.join())
    });
    let least = least.map_err(|_| "the thread that watched the memory panicked")?;
    Ok((done?, before.saturating_sub(least)))
}

/// Ends the watching also where the work panics.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn free(engine: &Engine, device: &str) -> Result<u64, String> {
    let devices = engine.devices().map_err(|error| error.to_string())?;
    let found = devices.iter().find(|found| found.name == device);
    let found = found.ok_or_else(|| format!("there is no device {device} any more"))?;
    match AvailableMemory::now() {
        // Of the processor the engine tells how much there is, and not how much is free.
        Some(available) if found.kind == DeviceKind::Cpu => Ok(available.physical),
        _ => Ok(found.memory_free),
    }
}
