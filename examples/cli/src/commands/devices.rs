//! `sdcpp devices`

use crate::{app::App, report::Report};
use sdcpp::{DeviceKind, Error};
use serde_json::{Value, json};

const GIB: f64 = (1_u64 << 30) as f64;

/// Lists what the engine can compute on.
pub(crate) fn run(app: &App) -> Result<Report, Error> {
    let engine = app.engine()?;
    let devices = engine.devices()?;
    let mut report = Report::new("devices");
    let list: Vec<Value> = devices
        .iter()
        .map(|device| {
            json!({
                "name": device.name,
                "description": device.description,
                "kind": kind(device.kind),
                "memory_free": device.memory_free,
                "memory_total": device.memory_total,
            })
        })
        .collect();
    report.set("devices", list);
    report.set("physical_cores", engine.physical_cores());
    report.set("engine", json!({ "version": engine.version(), "commit": engine.commit() }));
    report.set("system_info", engine.system_info());
    for device in &devices {
        report.line(format!(
            "{:<10} {:<12} {} ({:.1} of {:.1} GiB free)",
            device.name,
            kind(device.kind),
            device.description,
            device.memory_free as f64 / GIB,
            device.memory_total as f64 / GIB,
        ));
    }
    report.note(format!("engine {} ({})", engine.version(), engine.commit()));
    #[cfg(feature = "dynamic")]
    tell_choice(&mut report)?;
    Ok(report)
}

/// Which backend this machine's libraries and drivers allow, and why no better one.
#[cfg(feature = "dynamic")]
fn tell_choice(report: &mut Report) -> Result<(), Error> {
    let best = sdcpp::Backend::best()?;
    report.set("best", best.backend.name());
    let passed_over: Vec<Value> = best
        .passed_over
        .iter()
        .map(|(backend, why)| json!({ "backend": backend.name(), "reason": why.to_string() }))
        .collect();
    report.set("passed_over", passed_over);
    report.note(format!("best backend here: {best}"));
    Ok(())
}

fn kind(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Cpu => "cpu",
        DeviceKind::Gpu => "gpu",
        DeviceKind::IntegratedGpu => "integrated",
        DeviceKind::Accelerator => "accelerator",
        _ => "other",
    }
}
