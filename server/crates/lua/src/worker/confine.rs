//! Where a worker's modules may write (Lua specification, 9.4).
//!
//! Not a sandbox against malice: programs run only in trusted folders. It keeps a typing error in a module under
//! development from writing somewhere else.

use std::{
    env,
    path::{Component, Path, PathBuf},
};

/// Whether `path`, relative to `root` (the working directory), lies below `root` or the temporary folder once symbolic
/// links are followed. A path that cannot be resolved may not be written.
pub(super) fn may_write(root: &Path, path: &Path) -> bool {
    let Some(resolved) = resolved(&root.join(path)) else {
        return false;
    };
    [root.to_path_buf(), env::temp_dir()]
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
    fn writing_stays_below_the_project_and_the_temporary_folder() {
        // Not below the temporary folder, which is allowed as a whole.
        let outside = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let root = outside.path().join("project");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        let may = |path: &str| may_write(&root, Path::new(path));
        assert!(may("new.txt") && may("sub/new/deep.txt") && may("sub/../new.txt"));
        assert!(may(&env::temp_dir().join("x").to_string_lossy()));
        for path in [
            "../new.txt",
            "sub/../../new.txt",
            "missing/../../new.txt",
            "out/new.txt",
            "/etc/passwd",
            "",
        ] {
            let is_root = path.is_empty();
            assert_eq!(may(path), is_root, "{path}");
        }
    }
}
