//! File systems of a test's own, which only root can have.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A mounted file system. It is unmounted when this goes out of scope.
#[derive(Debug)]
pub(crate) struct Mount {
    point: PathBuf,
}

impl Mount {
    /// Mounts memory with a bound, such as `8m`. `None` when that is not possible here.
    pub(crate) fn memory(point: &Path, size: &str) -> Option<Self> {
        Self::new(point, &["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
    }

    /// Mounts an image with an ext4 file system.
    pub(crate) fn image(image: &Path, point: &Path) -> Option<Self> {
        // What is not made durable is not to become so by itself within a test.
        Self::new(point, &["-t", "ext4", "-o", "loop,commit=300", image.to_str()?])
    }

    fn new(point: &Path, args: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(point).ok()?;
        let mount = Command::new("mount").args(args).arg(point).stderr(Stdio::null()).status();
        mount.is_ok_and(|status| status.success()).then(|| Self { point: point.to_owned() })
    }

    /// Holds up everything that writes, until the answer goes out of scope.
    pub(crate) fn freeze(&self) -> Frozen {
        run("fsfreeze", &["-f"], &self.point);
        Frozen { point: self.point.clone() }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        run("umount", &[], &self.point);
    }
}

/// A file system that nothing can be written to.
#[derive(Debug)]
pub(crate) struct Frozen {
    point: PathBuf,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run("fsfreeze", &["-u"], &self.point);
    }
}

/// Makes an image with an empty ext4 file system. `false` when that is not possible here.
pub(crate) fn make_image(image: &Path, bytes: u64) -> bool {
    let file = std::fs::File::create_new(image);
    let is_made = file.and_then(|file| file.set_len(bytes)).is_ok();
    let mut mkfs = Command::new("mkfs.ext4");
    mkfs.args(["-q", "-F"]).arg(image).stdout(Stdio::null()).stderr(Stdio::null());
    is_made && mkfs.status().is_ok_and(|status| status.success())
}

/// Where files in memory can be.
pub(crate) fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

fn run(program: &str, args: &[&str], point: &Path) {
    let done = Command::new(program).args(args).arg(point).status();
    if !done.is_ok_and(|status| status.success()) {
        println!("{program} {} failed", point.display());
    }
}
