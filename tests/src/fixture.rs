//! Several files in one string, and the folder on disk made of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// One part of a fixture: what stands between two `//-` lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The words after `//-`.
    pub head: String,
    /// The lines below it, each with its line end.
    pub body: String,
}

/// Takes a fixture apart at its `//-` lines; empty lines before the first are skipped.
///
/// *Shape*: in the order of the text.
#[must_use]
pub fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.split_inclusive('\n') {
        match (line.strip_prefix("//-"), parts.last_mut()) {
            (Some(head), _) => parts.push(Part {
                head: head.trim().to_owned(),
                body: String::new(),
            }),
            (None, Some(part)) => part.body.push_str(line),
            (None, None) => assert!(
                line.trim().is_empty(),
                "text before the first `//-` line: {line}"
            ),
        }
    }
    parts
}

/// A folder on disk that goes with the test.
pub struct Project {
    // Never read: dropping it removes the folder.
    _folder: TempDir,
    root: PathBuf,
    state: PathBuf,
}

impl Project {
    /// A folder with the files of `fixture`; parts that do not start with `/` are left to the caller.
    #[must_use]
    pub fn new(fixture: &str) -> Self {
        let project = Self::empty();
        for part in parts(fixture)
            .iter()
            .filter(|part| part.head.starts_with('/'))
        {
            project.write(&part.head, &part.body);
        }
        project
    }

    /// A folder without files.
    #[must_use]
    pub fn empty() -> Self {
        let folder = TempDir::with_prefix("hotsave-").unwrap();
        let base = folder.path().canonicalize().unwrap();
        let (root, state) = (base.join("project"), base.join("state"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&state).unwrap();
        Self {
            _folder: folder,
            root,
            state,
        }
    }

    /// The project's folder, without symbolic links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where servers of this project keep what they keep per user.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The absolute path of a file written as `/a/b.lua` or `a/b.lua`.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.root.join(file.trim_start_matches('/'))
    }

    /// Writes a file, folders included.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file the way careful programs do: a new file beside it, renamed over it.
    pub fn write_atomically(&self, file: &str, text: &str) {
        let path = self.path(file);
        let temporary = path.with_extension("lua.new~");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, path).unwrap();
    }

    /// The text of a file, `None` if there is none.
    #[must_use]
    pub fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.path(file)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_actions_are_parts() {
        let found = parts("\n//- /a.lua\nreturn 1\n//- save /a.lua\nreturn 2\nlast");
        let heads: Vec<&str> = found.iter().map(|part| part.head.as_str()).collect();
        assert_eq!(heads, ["/a.lua", "save /a.lua"]);
        assert_eq!(found[1].body, "return 2\nlast");
    }

    #[test]
    fn a_project_holds_the_files_of_its_fixture() {
        let project = Project::new("//- /lib/a.lua\nreturn 1\n//- run\nsay(1)\n");
        assert_eq!(project.read("lib/a.lua").as_deref(), Some("return 1\n"));
        assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
    }
}
