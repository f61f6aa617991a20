//! Where a worker's modules may write (Lua specification, 9.4).
//!
//! Not a sandbox against malice: programs run only in trusted folders. It keeps a typing error in a module under
//! development from writing somewhere else.

use std::path::{Component, Path, PathBuf};

/// Whether `path`, relative to the first of `folders` (the working directory), lies below one of them once symbolic links
/// are followed. A path that cannot be resolved may not be written.
pub(super) fn may_write(folders: [&Path; 2], path: &Path) -> bool {
    let [here, _] = folders;
    let Some(resolved) = resolved(&here.join(path)) else {
        return false;
    };
    folders
        .iter()
        .filter_map(|it| it.canonicalize().ok())
        .any(|it| resolved.starts_with(it))
}

/// The path with links followed as far as it exists; `None` if what does not exist yet climbs up again.
fn resolved(path: &Path) -> Option<PathBuf> {
    let existing = path.ancestors().find(|it| it.symlink_metadata().is_ok())?;
    let rest = path.strip_prefix(existing).ok()?;
    let climbs = rest
        .components()
        .any(|it| !matches!(it, Component::Normal(_)));
    if climbs {
        return None;
    }
    Some(existing.canonicalize().ok()?.join(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_stays_below_the_two_folders() {
        let outside = tempfile::tempdir().unwrap();
        let [project, temporary] = ["project", "temporary"].map(|it| outside.path().join(it));
        std::fs::create_dir_all(project.join("sub")).unwrap();
        std::fs::create_dir(&temporary).unwrap();
        std::os::unix::fs::symlink(outside.path(), project.join("out")).unwrap();
        let may = |path: &Path| may_write([&project, &temporary], path);
        for path in [
            "new.txt",
            "sub/new/deep.txt",
            "sub/../new.txt",
            "out/temporary/x",
        ] {
            assert!(may(Path::new(path)), "{path}");
        }
        assert!(may(&temporary.join("x")));
        for path in [
            "../new.txt",
            "sub/../../new.txt",
            "missing/../../new.txt",
            "out/new.txt",
            "/etc/passwd",
        ] {
            assert!(!may(Path::new(path)), "{path}");
        }
    }
}
