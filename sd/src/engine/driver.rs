//! Whether a driver is there, without an engine that needs it: the driver's own library is opened, and
//! asked for devices.

use libloading::{Library, Symbol};
use std::ffi::{CStr, c_int, c_uint};

/// The library of NVIDIA's driver.
const CUDA: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// The devices that CUDA has, or why none.
pub(crate) fn cuda() -> Result<usize, String> {
    let driver = open(CUDA).map_err(|e| format!("the NVIDIA driver is not installed ({e})"))?;
    // SAFETY: these functions of the driver's documented API have these types.
    unsafe {
        let init: Symbol<'_, unsafe extern "C" fn(c_uint) -> c_int> = get(&driver, c"cuInit")?;
        let count: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
            get(&driver, c"cuDeviceGetCount")?;
        done("cuInit", init(0))?;
        let mut devices = 0;
        done("cuDeviceGetCount", count(&mut devices))?;
        some(devices)
    }
}

/// The newest CUDA whose programs the driver runs, as major and minor number; none if it does not tell.
pub(crate) fn cuda_version() -> Option<(c_int, c_int)> {
    let driver = open(CUDA).ok()?;
    let mut version = 0;
    // SAFETY: this function of the driver's documented API has this type.
    let code = unsafe {
        let get_version: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
            get(&driver, c"cuDriverGetVersion").ok()?;
        get_version(&mut version)
    };
    // 1000 times the major number, and 10 times the minor one.
    (code == 0 && version >= 1000).then_some((version / 1000, version % 1000 / 10))
}

/// The devices that ROCm has, or why none.
pub(crate) fn hip() -> Result<usize, String> {
    // A user's installation has no name without version; the newest first.
    let names = if cfg!(windows) {
        ["amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"]
    } else {
        ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so"]
    };
    let mut opened = names.map(open).into_iter();
    let runtime = match opened.find_map(Result::ok) {
        Some(runtime) => runtime,
        None => {
            return Err(format!(
                "the ROCm runtime is not installed ({} is not found)",
                names.join(", ")
            ));
        }
    };
    // SAFETY: this function of the runtime's documented API has this type.
    unsafe {
        let count: Symbol<'_, unsafe extern "C" fn(*mut c_int) -> c_int> =
            get(&runtime, c"hipGetDeviceCount")?;
        let mut devices = 0;
        done("hipGetDeviceCount", count(&mut devices))?;
        some(devices)
    }
}

/// The devices that Vulkan has and the engine would take, or why none.
pub(crate) fn vulkan() -> Result<usize, String> {
    // SAFETY: the system's Vulkan loader is opened, whose initialisation does nothing but prepare it.
    let entry = unsafe { ash::Entry::load() }
        .map_err(|e| format!("the Vulkan loader is not installed ({e})"))?;
    let application = ash::vk::ApplicationInfo::default().api_version(ash::vk::API_VERSION_1_2);
    let info = ash::vk::InstanceCreateInfo::default().application_info(&application);
    // MoltenVK's devices are listed to those only who ask for such; the engine does.
    #[cfg(target_vendor = "apple")]
    let extensions = [ash::khr::portability_enumeration::NAME.as_ptr()];
    #[cfg(target_vendor = "apple")]
    let info = info
        .flags(ash::vk::InstanceCreateFlags::ENUMERATE_PORTABILITY_KHR)
        .enabled_extension_names(&extensions);
    // SAFETY: `info` and what it points to live during the call.
    let instance = unsafe { entry.create_instance(&info, None) }
        .map_err(|e| format!("Vulkan has no driver that can be used ({e})"))?;
    let instance = scopeguard::guard(instance, |instance| {
        // SAFETY: nothing made from it is left, for only plain values were asked of it.
        unsafe { instance.destroy_instance(None) }
    });
    // SAFETY: the instance lives.
    let devices = unsafe { instance.enumerate_physical_devices() }
        .map_err(|e| format!("Vulkan cannot list its devices ({e})"))?;
    let mut names = Vec::new();
    let mut hardware = 0;
    for device in devices {
        // SAFETY: the device is the instance's.
        let facts = unsafe { instance.get_physical_device_properties(device) };
        if facts.device_type != ash::vk::PhysicalDeviceType::CPU {
            hardware += 1;
        }
        let name = facts.device_name_as_c_str().unwrap_or_default();
        names.push(name.to_string_lossy().into_owned());
    }
    match std::env::var(VULKAN_DEVICES) {
        Ok(chosen) => vulkan_chosen(&chosen, &names),
        // The engine leaves processors out, but for those that are asked for.
        Err(_) => match (hardware, names.is_empty()) {
            (0, true) => Err("Vulkan has no device".to_owned()),
            (0, false) => Err(format!(
                "Vulkan has only a processor ({}); {VULKAN_DEVICES}=0 uses it all the same",
                names.join(", ")
            )),
            (count, _) => Ok(count),
        },
    }
}

/// The variable by which the engine is told which devices to take, by number.
const VULKAN_DEVICES: &str = "GGML_VK_VISIBLE_DEVICES";

/// How many devices the engine takes when it is told which: as it reads the variable, up to what is no
/// number. One that is not there makes it take none.
fn vulkan_chosen(chosen: &str, names: &[String]) -> Result<usize, String> {
    let numbers: Vec<usize> = chosen
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .map_while(|word| word.parse().ok())
        .collect();
    match numbers.iter().find(|number| **number >= names.len()) {
        Some(missing) => Err(format!(
            "{VULKAN_DEVICES}={chosen} asks for device {missing}, and Vulkan has {}",
            match names {
                [] => "none".to_owned(),
                names => format!("0 to {} ({})", names.len() - 1, names.join(", ")),
            }
        )),
        None if numbers.is_empty() => Err(format!("{VULKAN_DEVICES}={chosen} names no device")),
        None => Ok(numbers.len()),
    }
}

/// Opens a driver's library for good: what it has started must not lose its code.
fn open(name: &str) -> Result<std::mem::ManuallyDrop<Library>, libloading::Error> {
    // SAFETY: a driver's library, of which one with this name is part of the system.
    unsafe { Library::new(name) }.map(std::mem::ManuallyDrop::new)
}

/// # Safety
/// The function has the type `T`.
unsafe fn get<'a, T>(library: &'a Library, name: &CStr) -> Result<Symbol<'a, T>, String> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get(name.to_bytes_with_nul()) }.map_err(|e| e.to_string())
}

fn done(function: &str, code: c_int) -> Result<(), String> {
    match code {
        0 => Ok(()),
        // The same number in CUDA and in HIP.
        100 => Err("the driver is there, and no device".to_owned()),
        code => Err(format!("the driver's {function} failed with code {code}")),
    }
}

fn some(devices: c_int) -> Result<usize, String> {
    match usize::try_from(devices) {
        Ok(0) | Err(_) => Err("the driver is there, and no device".to_owned()),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vulkan_devices_are_chosen_by_number() {
        let names = ["a card".to_owned(), "a processor".to_owned()];
        assert_eq!(vulkan_chosen("0", &names), Ok(1));
        assert_eq!(vulkan_chosen("1,0", &names), Ok(2));
        assert_eq!(vulkan_chosen(" 1 , x 7", &names), Ok(1));
        let error = vulkan_chosen("0,2", &names).unwrap_err();
        assert!(error.contains("device 2") && error.contains("0 to 1 (a card, a proc"), "{error}");
        assert!(vulkan_chosen("0", &[]).unwrap_err().contains("has none"));
        for nothing in ["", "-1", "first"] {
            assert!(vulkan_chosen(nothing, &names).unwrap_err().contains("names no device"));
        }
    }
}
