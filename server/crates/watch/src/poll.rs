//! Poll: looks at the directories that the operating system would not watch.
//!
//! Compares size, time and inode, never content. Costs time for each file, so it is the last resort.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{backend::Signal, ignore::Ignore};

/// Polled directories and what they held when last looked at.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    directories: BTreeMap<PathBuf, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    files: HashMap<PathBuf, Stamp>,
    directories: BTreeSet<PathBuf>,
}

/// What tells two versions of a file apart without reading them.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    n_bytes: u64,
    inode: u64,
}

impl Polled {
    pub(crate) fn is_empty(&self) -> bool {
        self.directories.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&Path> {
        self.directories.keys().next().map(PathBuf::as_path)
    }

    /// Ends polling a directory that is watched from now on; signals what differs at this last look.
    pub(crate) fn hand_over(&mut self, directory: &Path, ignore: &mut Ignore) -> Vec<Signal> {
        let seen = self.directories.remove(directory);
        seen.map_or_else(Vec::new, |mut seen| look(directory, &mut seen, ignore))
    }

    pub(crate) fn remove(&mut self, directory: &Path) {
        self.directories.remove(directory);
    }

    /// Begins to poll a directory; everything in it is signaled.
    pub(crate) fn insert(&mut self, directory: PathBuf, ignore: &mut Ignore) -> Vec<Signal> {
        let mut seen = Seen::default();
        let signals = look(&directory, &mut seen, ignore);
        self.directories.insert(directory, seen);
        signals
    }

    /// Looks at all directories and signals what differs from last time.
    pub(crate) fn look(&mut self, ignore: &mut Ignore) -> Vec<Signal> {
        self.directories
            .iter_mut()
            .flat_map(|(directory, seen)| look(directory, seen, ignore))
            .collect()
    }
}

fn look(directory: &Path, seen: &mut Seen, ignore: &mut Ignore) -> Vec<Signal> {
    let Ok(listing) = ignore.list(directory) else {
        return vec![Signal::Left(directory.to_path_buf())];
    };
    let directories: BTreeSet<PathBuf> = listing.directories.into_iter().collect();
    let files: HashMap<PathBuf, Stamp> = listing
        .files
        .into_iter()
        .filter_map(|path| stamp(&path).map(|stamp| (path, stamp)))
        .collect();

    let gone_directories = seen.directories.difference(&directories);
    let new_directories = directories.difference(&seen.directories);
    let gone_files = seen.files.keys().filter(|it| !files.contains_key(*it));
    let new_files = files
        .iter()
        .filter(|(path, stamp)| seen.files.get(*path) != Some(stamp));
    let signals = gone_directories
        .chain(gone_files)
        .map(|it| Signal::Left(it.clone()))
        .chain(new_directories.map(|it| Signal::Appeared(it.clone())))
        .chain(new_files.map(|(path, _)| Signal::Touched(path.clone())))
        .collect();
    *seen = Seen { files, directories };
    signals
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp {
        modified: metadata.modified().ok(),
        n_bytes: metadata.len(),
        inode,
    })
}
