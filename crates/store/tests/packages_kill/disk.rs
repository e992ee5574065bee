//! A disk whose power can be cut, which only root can have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::content::Rng;
use crate::world::now;

/// Size of the disk. Bytes.
const BYTES: u64 = 96 << 20;

/// Longest wait for a process to stand still, or for a disk to be let go of.
const PATIENCE: Duration = Duration::from_secs(40);

/// ext4 in an image in memory. What was not flushed is not in the image.
pub(crate) struct Disk {
    dir: TempDir,
    rng: Rng,
}

impl Disk {
    /// `None` when that is not possible here.
    pub(crate) fn make(seed: u64) -> Option<Self> {
        let disk = Self { dir: TempDir::new_in(memory()).unwrap(), rng: Rng::new(seed) };
        fs::create_dir(disk.point()).unwrap();
        let file = fs::File::create_new(disk.image()).unwrap();
        file.set_len(BYTES).unwrap();
        let is_made = run("mkfs.ext4", &["-q", "-F"], &[&disk.image()]) && disk.mount();
        if !is_made {
            println!("skipped: no file system can be mounted here");
        }
        is_made.then_some(disk)
    }

    /// Where packages are.
    pub(crate) fn packages(&self) -> PathBuf {
        self.point().join("packages")
    }

    /// Stops a process and leaves the disk as a power cut would have.
    pub(crate) fn cut(&mut self, child: &mut Child) {
        run("kill", &["-STOP", &child.id().to_string()], &[]);
        let begin = now();
        while !is_stopped(child.id()) {
            assert!(now().duration_since(begin) < PATIENCE, "it does not stand still");
        }
        self.write_back();
        let copy = self.dir.path().join("copy");
        fs::copy(self.image(), &copy).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What this writes goes to the image that is not used any more.
        assert!(self.unmount(), "the disk is not let go of");
        fs::rename(&copy, self.image()).unwrap();
        assert!(self.mount(), "the copy cannot be mounted");
    }

    /// A kernel may write any file at any time: half of the time it has just written one.
    fn write_back(&mut self) {
        let files = files(&self.packages());
        let at = usize::try_from(self.rng.below(2 * files.len().max(1) as u64)).unwrap();
        if let Some(path) = files.get(at) {
            fs::File::open(path).and_then(|file| file.sync_data()).unwrap();
        }
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn point(&self) -> PathBuf {
        self.dir.path().join("mount")
    }

    fn mount(&self) -> bool {
        // What is not synced is not to be written by itself.
        run("mount", &["-t", "ext4", "-o", "loop,commit=300"], &[&self.image(), &self.point()])
    }

    fn unmount(&self) -> bool {
        let begin = now();
        while !run("umount", &[], &[&self.point()]) {
            if now().duration_since(begin) > PATIENCE {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &[&self.point()]);
    }
}

/// Where files in memory can be. A disk that others write to is slow at times, and a kill leaves to
/// a file system in memory what it leaves to any other.
pub(crate) fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// The files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Whether all threads of a process stand still, or it is no more.
fn is_stopped(id: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{id}/task"));
    threads.into_iter().flatten().flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
        state.is_none_or(|state| state.starts_with(['T', 'Z']))
    })
}

/// Whether a command did what it was to do.
fn run(program: &str, args: &[&str], paths: &[&Path]) -> bool {
    let mut command = Command::new(program);
    command.args(args).args(paths).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
