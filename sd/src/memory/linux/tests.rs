use super::*;
use proptest::prelude::*;
use tempfile::TempDir;

const STATUS: &str = "Name:\tsdcpp\nVmPeak:\t 9000000 kB\nVmSize:\t 1000000 kB\nVmHWM:\t  300000 kB\n\
    VmRSS:\t  200000 kB\nRssAnon:\t   50000 kB\nVmData:\t  400000 kB\nThreads:\t4\n";
const ROLLUP: &str = "55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:              200000 kB\n\
    Pss:              150000 kB\nPss_Anon:          40000 kB\nAnonymous:         45000 kB\n";
const MEMINFO: &str = "MemTotal:       16000000 kB\nMemFree:          500000 kB\nMemAvailable:    8000000 kB\n\
    SwapTotal:       2000000 kB\nSwapFree:        1000000 kB\n";
const UNLIMITED: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
    Max cpu time              unlimited            unlimited            seconds   \n\
    Max data size             unlimited            unlimited            bytes     \n\
    Max address space         unlimited            unlimited            bytes     \n";
const KIB: u64 = 1024;

/// A folder with these files below it.
fn root(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// The same beside the usual files of `/proc`.
fn system(files: &[(&str, &str)]) -> TempDir {
    let usual = [
        ("proc/meminfo", MEMINFO),
        ("proc/self/status", STATUS),
        ("proc/self/limits", UNLIMITED),
        ("proc/self/cgroup", "0::/\n"),
    ];
    let more = usual.iter().filter(|(path, _)| !files.iter().any(|(other, _)| other == path));
    root(&more.chain(files).copied().collect::<Vec<_>>())
}

#[test]
fn a_process_is_read() {
    let folder = root(&[("proc/self/status", STATUS), ("proc/self/smaps_rollup", ROLLUP)]);
    let memory = process(folder.path()).unwrap();
    assert_eq!(memory.resident, 200_000 * KIB);
    assert_eq!(memory.peak, Some(300_000 * KIB));
    assert_eq!(memory.proportional, Some(150_000 * KIB));
    assert_eq!(memory.anonymous, Some(45_000 * KIB));
    let folder = root(&[("proc/self/status", STATUS)]);
    let memory = process(folder.path()).unwrap();
    assert_eq!((memory.proportional, memory.anonymous), (None, Some(50_000 * KIB)));
    assert_eq!(process(root(&[]).path()), None);
}

#[test]
fn without_limits_it_is_the_systems() {
    let memory = available(system(&[]).path()).unwrap();
    assert_eq!(memory.physical, 8_000_000 * KIB);
    assert_eq!(memory.swap, 1_000_000 * KIB);
    assert_eq!(memory.address_space, None);
    assert_eq!(available(root(&[]).path()), None);
    // Before Linux 3.14.
    let old = system(&[("proc/meminfo", "MemFree:  7 kB\n")]);
    assert_eq!(available(old.path()).unwrap().physical, 7 * KIB);
}

#[test]
fn the_least_of_the_groups_counts_with_its_caches() {
    let folder = system(&[
        ("proc/self/cgroup", "0::/user.slice/app\n"),
        ("sys/fs/cgroup/user.slice/app/memory.max", "max\n"),
        ("sys/fs/cgroup/user.slice/app/memory.current", "1000\n"),
        ("sys/fs/cgroup/user.slice/memory.max", "10000000\n"),
        ("sys/fs/cgroup/user.slice/memory.current", "6000000\n"),
        ("sys/fs/cgroup/user.slice/memory.stat", "anon 1\ninactive_file 500000\nactive_file 20\n"),
        ("sys/fs/cgroup/user.slice/memory.swap.max", "0\n"),
        ("sys/fs/cgroup/user.slice/memory.swap.current", "0\n"),
    ]);
    let memory = available(folder.path()).unwrap();
    assert_eq!(memory.physical, 4_000_000 + 500_020);
    assert_eq!(memory.swap, 0);
}

#[test]
fn groups_of_version_1_and_containers_that_hide_their_place_are_read() {
    let folder = system(&[
        (
            "proc/self/cgroup",
            "12:cpu,cpuacct:/x\n5:memory:/docker/0123\n1:name=systemd:/y\n0::/z\n",
        ),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1500000\n"),
        ("sys/fs/cgroup/memory/memory.stat", "cache 9\ninactive_file 1\ntotal_inactive_file 7\n"),
    ]);
    assert_eq!(available(folder.path()).unwrap().physical, 500_007);
    let unlimited = system(&[
        ("proc/self/cgroup", "5:memory:/\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1500000\n"),
    ]);
    assert_eq!(available(unlimited.path()).unwrap().physical, 8_000_000 * KIB);
}

#[test]
fn limits_of_the_process_leave_what_is_not_used() {
    let limits = UNLIMITED
        .replace("space         unlimited", "space         2048000000")
        .replace("size             unlimited", "size             1000000000");
    let folder = system(&[("proc/self/limits", &limits)]);
    let left = available(folder.path()).unwrap().address_space;
    assert_eq!(left, Some(1_000_000_000 - 400_000 * KIB));
    let used_up = UNLIMITED.replace("space         unlimited", "space         4096");
    let folder = system(&[("proc/self/limits", &used_up)]);
    assert_eq!(available(folder.path()).unwrap().address_space, Some(0));
}

#[test]
fn a_group_leads_to_no_other_place() {
    let folders = memory_groups("0::/../../etc/./x\n", Path::new("/r"));
    let mounted = Path::new("/r/sys/fs/cgroup");
    assert!(folders.iter().all(|folder| folder.starts_with(mounted)), "{folders:?}");
    assert!(folders.contains(&mounted.join("etc/x")));
}

#[test]
fn this_machine_tells() {
    let memory = process("/".as_ref()).unwrap();
    assert!(
        memory.resident > 1 << 20
            && memory.peak >= Some(memory.resident)
            && memory.resident < 1 << 40
    );
    assert!(available("/".as_ref()).unwrap().physical > 1 << 20);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", value in "[0-9 ]{0,24}(kB|B|)?") {
        for text in [text, format!("MemAvailable:{value}\nVmRSS: {value}\n0::{value}\nMax data size {value}")] {
            let folder = root(&[
                ("proc/meminfo", &text),
                ("proc/self/status", &text),
                ("proc/self/limits", &text),
                ("proc/self/smaps_rollup", &text),
                ("proc/self/cgroup", &text),
                ("sys/fs/cgroup/memory.max", &value),
                ("sys/fs/cgroup/memory.current", &value),
                ("sys/fs/cgroup/memory.stat", &text),
            ]);
            let _ = (process(folder.path()), available(folder.path()));
        }
    }
}
