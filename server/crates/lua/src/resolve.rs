//! From module names to files and back, without touching the disk.
//!
//! Templates are tried in order, as `package.path` is; the first file that exists answers. Paths are relative to the
//! project's root, with `/` between their parts on every system.

/// Where a project keeps its modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// Text before and after the `?`, in order of trying.
    patterns: Vec<(Box<str>, Box<str>)>,
    /// Names with a file of their own, before all patterns: a rockspec's `build.modules`, `[[lua.module]]`.
    exact: Vec<(Box<str>, Box<str>)>,
}

impl Templates {
    /// Reads templates such as `?.lua` and `src/?/init.lua`; those without a `?` or leading out of the root are left out.
    pub fn new<'a>(templates: impl IntoIterator<Item = &'a str>) -> Self {
        let pattern = |it: &'a str| {
            let it = it.trim().trim_start_matches("./");
            let (before, after) = it.split_once('?')?;
            let stays_inside = !it.starts_with('/') && !it.split('/').any(|it| it == "..");
            stays_inside.then(|| (before.into(), after.into()))
        };
        Self {
            patterns: templates.into_iter().filter_map(pattern).collect(),
            exact: Vec::new(),
        }
    }

    /// Reads a path of templates with semicolons between them, the form of `package.path`.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        Self::new(path.split(';').filter(|it| !it.trim().is_empty()))
    }

    /// What a project without configuration has: `?.lua;?/init.lua`, the same under `src/`, `lib/` and `lua/`.
    #[must_use]
    pub fn plain() -> Self {
        let folders = ["", "src/", "lib/", "lua/"];
        let pattern = |folder: &str, end: &str| (folder.into(), end.into());
        let patterns = folders
            .into_iter()
            .flat_map(|it| [pattern(it, ".lua"), pattern(it, "/init.lua")])
            .collect();
        Self {
            patterns,
            exact: Vec::new(),
        }
    }

    /// Adds a name that has a file of its own.
    pub fn add_exact(&mut self, name: &str, file: &str) {
        self.exact
            .push((slashed(name).into(), file.trim_start_matches("./").into()));
    }

    /// Files that may answer for `name`, in order of trying.
    pub fn candidates<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let name = slashed(name);
        let exact = self.exact.iter().filter({
            let name = name.clone();
            move |(it, _)| **it == *name
        });
        let exact = exact.map(|(_, file)| file.to_string());
        exact.chain(
            self.patterns
                .iter()
                .map(move |(before, after)| format!("{before}{name}{after}")),
        )
    }

    /// Names under which `file` may be required, the most specific template first.
    ///
    /// A name is listed even if a file at an earlier candidate answers for it.
    #[must_use]
    pub fn names(&self, file: &str) -> Vec<String> {
        let exact = self
            .exact
            .iter()
            .filter(|(_, it)| **it == *file)
            .map(|(name, _)| (usize::MAX, dotted(name)));
        let by_pattern = self.patterns.iter().filter_map(|(before, after)| {
            let name = file.strip_prefix(&**before)?.strip_suffix(&**after)?;
            // A dot would become a slash.
            let is_name = !name.is_empty() && !name.contains('.') && !name.starts_with('/');
            is_name.then(|| (before.len() + after.len(), dotted(name)))
        });
        let mut names: Vec<(usize, String)> = exact.chain(by_pattern).collect();
        names.sort_by(|(left, _), (right, _)| right.cmp(left));
        names.dedup_by(|(_, left), (_, right)| left == right);
        names.into_iter().map(|(_, name)| name).collect()
    }
}

/// A name as Lua's searchers turn it into a path; `a.b` and `a/b` are the same file.
pub(crate) fn slashed(name: &str) -> String {
    name.replace('.', "/")
}

fn dotted(name: &str) -> String {
    name.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates(templates: &Templates, name: &str) -> Vec<String> {
        templates.candidates(name).collect()
    }

    #[test]
    fn names_become_paths_in_order() {
        let templates = Templates::from_path(
            "./?.lua;?/init.lua; lib/?.lua;/usr/share/lua/?.lua;../?.lua;no.lua;",
        );
        assert_eq!(
            candidates(&templates, "a.b"),
            ["a/b.lua", "a/b/init.lua", "lib/a/b.lua"]
        );
        assert_eq!(candidates(&templates, "a/b"), candidates(&templates, "a.b"));
    }

    #[test]
    fn paths_become_names_the_most_specific_first() {
        let templates = Templates::plain();
        assert_eq!(templates.names("src/a/b.lua"), ["a.b", "src.a.b"]);
        assert_eq!(templates.names("a/init.lua"), ["a", "a.init"]);
        assert_eq!(templates.names("a.b.lua"), [""; 0]);
        assert_eq!(templates.names("init.lua"), ["init"]);
        assert_eq!(templates.names("data.json"), [""; 0]);
    }

    #[test]
    fn exact_names_come_first() {
        let mut templates = Templates::new(["?.lua"]);
        templates.add_exact("x.core", "src/core.lua");
        assert_eq!(
            candidates(&templates, "x.core"),
            ["src/core.lua", "x/core.lua"]
        );
        assert_eq!(templates.names("src/core.lua"), ["x.core", "src.core"]);
    }

    proptest! {
        #[test]
        fn every_name_of_a_file_leads_back_to_it(parts in prop::collection::vec("(src|lib|lua|init|[a-c]{1,2})", 1..5)) {
            let file = parts.join("/") + ".lua";
            let templates = Templates::plain();
            for name in templates.names(&file) {
                prop_assert!(templates.candidates(&name).any(|it| it == file), "{name}");
            }
        }
    }
}
