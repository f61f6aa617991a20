//! Walk: lists the directories below one, level by level, several at a time.
//!
//! Must stay true: every directory is announced before it is read, so that a caller who watches it at that moment
//! misses no file: what is created later is reported, what was created before is listed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use crate::ignore::{Ignore, Layer, read_layer};

/// Fewer directories than this are read faster than threads start.
const WORTH_A_THREAD: usize = 16;
const MOST_THREADS: usize = 8;

/// What a walk found, each list sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) files: Vec<PathBuf>,
    /// The first one included.
    pub(crate) directories: Vec<PathBuf>,
}

/// What one directory holds that is not ignored.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) directories: Vec<PathBuf>,
}

/// A directory to read, and the rules in force around it.
type Job = (PathBuf, Option<Arc<Layer>>);

impl Ignore {
    /// Lists `directory` and everything below it; `enter` is called with each directory just before it is read.
    ///
    /// *Errors*: a directory that cannot be read counts as empty and is logged.
    pub(crate) fn walk_below(&mut self, directory: &Path, mut enter: impl FnMut(&Path)) -> Tree {
        let mut tree = Tree::default();
        let mut level: Vec<Job> = vec![(directory.to_path_buf(), self.layer_around(directory))];
        while !level.is_empty() {
            level.iter().for_each(|(directory, _)| enter(directory));
            let listings = self.list_all(&level);
            let mut next = Vec::new();
            for ((directory, _), (layer, listing)) in level.into_iter().zip(listings) {
                let below = listing.directories.into_iter();
                next.extend(below.map(|it| (it, layer.clone())));
                tree.files.extend(listing.files);
                self.remember(&directory, layer);
                tree.directories.push(directory);
            }
            level = next;
        }
        tree.files.sort_unstable();
        tree.directories.sort_unstable();
        tree
    }

    /// Lists one directory whose surroundings are known.
    pub(crate) fn list(&mut self, directory: &Path) -> io::Result<Listing> {
        let around = self.layer_around(directory);
        let layer = self.layer_inside(directory, around);
        self.read(directory, layer.as_deref())
    }

    /// One listing per job, in their order.
    fn list_all(&self, jobs: &[Job]) -> Vec<(Option<Arc<Layer>>, Listing)> {
        let list = |(directory, around): &Job| {
            let layer = read_layer(directory, around.clone());
            let listing = self
                .read(directory, layer.as_deref())
                .unwrap_or_else(|error| {
                    tracing::debug!(directory = %directory.display(), %error, "cannot list a directory");
                    Listing::default()
                });
            (layer, listing)
        };
        let n_threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_THREADS)
            .min(jobs.len() / WORTH_A_THREAD);
        if n_threads < 2 {
            return jobs.iter().map(list).collect();
        }
        thread::scope(|scope| {
            let chunks: Vec<_> = jobs
                .chunks(jobs.len().div_ceil(n_threads))
                .map(|chunk| scope.spawn(move || chunk.iter().map(list).collect::<Vec<_>>()))
                .collect();
            chunks
                .into_iter()
                .flat_map(|chunk| {
                    chunk
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    fn read(&self, directory: &Path, layer: Option<&Layer>) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(directory)?.flatten() {
            let Ok(file_type) = entry.file_type() else {
                continue; // It vanished while we were reading.
            };
            let path = entry.path();
            if self.hides(layer, &path, file_type.is_dir()) {
                continue;
            }
            if file_type.is_dir() {
                listing.directories.push(path);
            } else if file_type.is_file() || file_type.is_symlink() && self.leads_to_own_file(&path)
            {
                listing.files.push(path);
            }
        }
        Ok(listing)
    }

    /// Whether a symbolic link leads to a file below the root.
    pub(crate) fn leads_to_own_file(&self, link: &Path) -> bool {
        link.canonicalize()
            .is_ok_and(|target| target.starts_with(&self.real_root) && target.is_file())
    }
}
