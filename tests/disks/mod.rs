//! Disks of tests: folders in memory, loop devices, mounts, and whether they are permitted here.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder in memory if there is one: images are written by the hundred.
pub(crate) fn quick_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Runs a program; what it printed is the error if it failed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(io::Error::other(format!("{program}: {text}"))) }
}

/// A file as a block device.
pub(crate) struct Loop {
    device: String,
}

impl Loop {
    pub(crate) fn new(file: &Path) -> io::Result<Self> {
        Ok(Self { device: run("losetup", &["--show", "--find", text(file)])? })
    }

    /// Puts an ext4 on it that writes nothing later by itself.
    pub(crate) fn format(&self) -> io::Result<()> {
        let at_once = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
        run("mkfs.ext4", &["-q", "-F", "-E", at_once, &self.device]).map(drop)
    }

    /// Mounts it; the kernel replays the journal of the file system.
    pub(crate) fn mount(&self) -> io::Result<Mount> {
        Mount::new(&["-t", "ext4", "-o", "noatime", &self.device])
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = run("losetup", &["--detach", &self.device]);
    }
}

/// A mounted file system, unmounted at the end.
pub(crate) struct Mount(tempfile::TempDir);

impl Mount {
    fn new(arguments: &[&str]) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        run("mount", &[arguments, &[text(dir.path())]].concat())?;
        Ok(Self(dir))
    }

    /// A file system in memory, as `mount` writes sizes: `8m`.
    pub(crate) fn in_memory(size: &str) -> io::Result<Self> {
        Self::new(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.0.path()) {
            // Lazily, because a test that fails leaves files open.
            let _ = run("umount", &["--lazy", text(self.0.path())]);
            assert!(std::thread::panicking(), "{error}");
        }
    }
}

/// Unmounts; what was just closed may be held for a moment by a thread that ends.
pub(crate) fn unmount(path: &Path) -> io::Result<()> {
    let mut tries = 100;
    loop {
        match run("umount", &[text(path)]) {
            Err(_) if tries > 0 => tries -= 1,
            result => return result.map(drop),
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Why there are no loop devices or mounts here; `None` if there are.
pub(crate) fn why_no_loop() -> Option<String> {
    let try_it = || -> io::Result<()> {
        let dir = quick_dir();
        let image = dir.path().join("image");
        std::fs::File::create(&image)?.set_len(4 << 20)?;
        let device = Loop::new(&image)?;
        device.format()?;
        device.mount().map(drop)
    };
    try_it().err().map(|error| error.to_string())
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
