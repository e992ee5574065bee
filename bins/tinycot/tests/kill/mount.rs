//! File systems of a test's own, which only root can have.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::{PATIENCE, now};

/// Time between two looks, or two tries.
const PAUSE: Duration = Duration::from_millis(20);

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

    /// Holds up everything that writes, until the answer goes out of scope, this process ends or
    /// `limit` is over. `None` when that is not possible here.
    pub(crate) fn freeze(&self, limit: Duration) -> Option<Frozen> {
        // Before it is held: what waits for a disk that nobody lets go of cannot even be killed.
        let guard = Guard::start(&self.point, limit)?;
        match again_and_again("fsfreeze", &["-f"], &self.point) {
            Some(true) => Some(Frozen { _guard: guard }),
            Some(false) => None,
            None => {
                // It may come to be held yet, and is let go of at the end of this process.
                std::mem::forget(guard);
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever was held up on it may not be gone yet.
        let is_gone = again_and_again("umount", &[], &self.point) == Some(true);
        if !is_gone && run("umount", &["--lazy"], &self.point) != Some(true) {
            println!("{} is still mounted", self.point.display());
        }
    }
}

/// A file system that nothing can be written to.
#[derive(Debug)]
pub(crate) struct Frozen {
    _guard: Guard,
}

/// A process that lets go of a file system when its input ends, which it does with this process at
/// the latest, or when its time is over.
#[derive(Debug)]
struct Guard(Child);

impl Guard {
    fn start(point: &Path, limit: Duration) -> Option<Self> {
        let script = "timeout $2 cat; fsfreeze -u \"$1\"";
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "sh"]).arg(point).arg(limit.as_secs().max(1).to_string());
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        guard.spawn().ok().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It fails when the file system is not held, which is as well.
        ended(&mut self.0);
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

/// Runs a command until it does what it is to do: a kernel that is busy may refuse.
fn again_and_again(program: &str, args: &[&str], point: &Path) -> Option<bool> {
    let begin = now();
    loop {
        let done = run(program, args, point);
        if done != Some(false) || now().duration_since(begin) > PATIENCE / 4 {
            return done;
        }
        thread::sleep(PAUSE);
    }
}

/// Whether a command did what it was to do; `None` when it does not end.
fn run(program: &str, args: &[&str], point: &Path) -> Option<bool> {
    let mut command = Command::new(program);
    command.args(args).arg(point).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_or(Some(false), |mut child| ended(&mut child))
}

/// How a process ended. One that waits for a disk may not end for a long time, and cannot be killed.
fn ended(child: &mut Child) -> Option<bool> {
    let begin = now();
    while now().duration_since(begin) < PATIENCE {
        match child.try_wait() {
            Ok(None) => thread::sleep(PAUSE),
            Ok(Some(status)) => return Some(status.success()),
            Err(_) => return Some(false),
        }
    }
    None
}
