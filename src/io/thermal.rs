//! How hot the box is, by the kernel's sensors.

use std::{fs, path::Path};

/// Where the kernel has its sensors.
pub const THERMAL_CLASS: &str = "/sys/class/thermal";

/// The hottest sensor below `class` ([`THERMAL_CLASS`]) in °C; `None` if there is none. Reads files of the kernel.
#[must_use]
pub fn hottest(class: &Path) -> Option<i16> {
    let zones = fs::read_dir(class).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let is_zone = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("thermal_zone"))
    };
    // Millidegrees (Linux, Documentation/driver-api/thermal/sysfs-api.rst).
    let celsius = |path: std::path::PathBuf| {
        let milli: i32 = fs::read_to_string(path.join("temp")).ok()?.trim().parse().ok()?;
        i16::try_from(milli / 1000).ok()
    };
    zones.filter(is_zone).filter_map(celsius).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_zone_counts_and_what_is_no_sensor_does_not() {
        let class = tempfile::tempdir().unwrap();
        assert_eq!(hottest(class.path()), None);
        for (name, temp) in [
            ("thermal_zone0", "41250\n"),
            ("thermal_zone1", "96400\n"),
            ("thermal_zone2", "broken"),
            ("cooling_device0", "120000"),
        ] {
            fs::create_dir(class.path().join(name)).unwrap();
            fs::write(class.path().join(name).join("temp"), temp).unwrap();
        }
        assert_eq!(hottest(class.path()), Some(96));
    }
}
