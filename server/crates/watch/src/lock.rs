//! Lock: notices that a version-control command is changing the working copy.
//!
//! Reads file names only; what a checkout changes is reported like any other change.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Names by which a repository's top directory is known.
pub(crate) const REPOSITORIES: &[&str] = &[".git", ".hg", ".jj"];

/// An older lock was left behind by a command that crashed; waiting for its end would slow down every save.
const STALE: Duration = Duration::from_secs(60);

/// The locks that commands take on the working copy a root lies in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Locks {
    files: Vec<PathBuf>,
}

impl Locks {
    /// Finds the repository that `root` is in, if any.
    pub(crate) fn find(root: &Path) -> Self {
        let top = root
            .ancestors()
            .find(|it| REPOSITORIES.iter().any(|name| it.join(name).exists()));
        let files = top.map_or_else(Vec::new, |top| {
            [
                (git_directory(top), "index.lock"),
                (top.join(".hg"), "wlock"),
                (top.join(".jj/working_copy"), "working_copy.lock"),
            ]
            .into_iter()
            .filter(|(directory, _)| directory.is_dir())
            .map(|(directory, name)| directory.join(name))
            .collect()
        });
        Self { files }
    }

    /// The directories in which the locks appear.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().filter_map(|file| file.parent())
    }

    /// Whether the path is one of the locks.
    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file == path)
    }

    /// Whether one of the locks is taken.
    pub(crate) fn are_held(&self, now: SystemTime) -> bool {
        // Mercurial's lock is a symbolic link to nowhere, so the link itself is asked.
        self.files
            .iter()
            .filter_map(|file| fs::symlink_metadata(file).ok()?.modified().ok())
            .any(|taken| now.duration_since(taken).unwrap_or_default() < STALE)
    }
}

/// `.git`, or where a worktree's or submodule's `.git` file points to.
fn git_directory(top: &Path) -> PathBuf {
    let git = top.join(".git");
    match fs::read_to_string(&git) {
        Ok(text) => top.join(text.strip_prefix("gitdir:").unwrap_or_default().trim()),
        Err(_) => git,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_above_the_root_is_seen_until_it_is_gone_or_stale() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("sub/project");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(top.path().join(".git")).unwrap();
        let (locks, now) = (Locks::find(&root), SystemTime::now());
        assert!(!locks.are_held(now));
        fs::write(top.path().join(".git/index.lock"), "").unwrap();
        assert!(locks.are_held(now));
        assert!(!locks.are_held(now + STALE * 2));
        fs::remove_file(top.path().join(".git/index.lock")).unwrap();
        assert!(!locks.are_held(now));
    }

    #[test]
    fn the_lock_of_a_worktree_lies_where_its_git_file_points() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("main/worktrees/w")).unwrap();
        fs::create_dir(top.path().join("w")).unwrap();
        fs::write(top.path().join("w/.git"), "gitdir: ../main/worktrees/w\n").unwrap();
        let locks = Locks::find(&top.path().join("w"));
        fs::write(top.path().join("main/worktrees/w/index.lock"), "").unwrap();
        assert!(locks.are_held(SystemTime::now()));
    }

    #[cfg(unix)]
    #[test]
    fn a_mercurial_lock_that_leads_nowhere_is_a_lock() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join(".hg")).unwrap();
        let locks = Locks::find(top.path());
        assert!(!locks.are_held(SystemTime::now()));
        std::os::unix::fs::symlink("host:123", top.path().join(".hg/wlock")).unwrap();
        assert!(locks.are_held(SystemTime::now()));
    }
}
