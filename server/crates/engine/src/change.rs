//! Changes: one file, one content, whoever told of it; and the intake that keeps echoes out.
//!
//! Knows no file system: whoever makes a change has read the text already.
//! Must stay true: one save, told by the editor and by any number of watchers in any order, is admitted exactly once.

use std::{collections::HashMap, path::Path, sync::Arc};

use crate::text::{ContentHash, SourceText};

/// Who told of a change; decides its settle window (design, section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The editor's `didSave`.
    Save,
    /// The editor's or our own file watcher.
    Watcher,
    /// A watcher that sees a mass of files, or a version-control lock.
    Bulk,
    /// A person asked for it: settles at once.
    Command,
}

/// What happened to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It now has this text (created or modified).
    Text(SourceText),
    /// It is gone.
    Removed,
}

impl Content {
    /// Hash of the text, `None` if the file is gone.
    #[must_use]
    pub const fn hash(&self) -> Option<ContentHash> {
        match self {
            Self::Text(text) => Some(text.hash()),
            Self::Removed => None,
        }
    }
}

/// One file's new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Absolute, normalized path.
    pub path: Arc<Path>,
    /// What it holds now.
    pub content: Content,
    /// Who told.
    pub source: Source,
}

/// What the intake makes of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// News: on to settling.
    Admitted(Change),
    /// Told already, by someone else; opens no generation.
    Echo,
    /// A save in the editor that changed nothing: a generation that ends `unchanged`, reason `sameText`.
    Same,
}

/// Knows the last content of every path, and so tells news from echoes.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    known: HashMap<Arc<Path>, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// `None`: the file is gone.
    hash: Option<ContentHash>,
    /// A watcher told of this content first and its save, if there was one, is still on its way from the editor.
    awaits_save: bool,
}

impl Intake {
    /// Knows nothing: the first report of every path is news.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes what the index found at start-up; a report that came meanwhile is newer and stays.
    pub fn seed(&mut self, path: Arc<Path>, hash: ContentHash) {
        self.known.entry(path).or_insert(Known {
            hash: Some(hash),
            awaits_save: false,
        });
    }

    /// Forgets a path (its folder left the project); its next report is news.
    pub fn forget(&mut self, path: &Path) {
        self.known.remove(path);
    }

    /// Forgets every path for which `leaves` holds.
    pub fn forget_all(&mut self, mut leaves: impl FnMut(&Path) -> bool) {
        self.known.retain(|path, _| !leaves(path));
    }

    /// Hash of the last known text; `None` if the file is gone or was never heard of.
    #[must_use]
    pub fn last(&self, path: &Path) -> Option<ContentHash> {
        self.known.get(path).and_then(|it| it.hash)
    }

    /// Judges a report.
    ///
    /// Other content than known is news, and so is everything a command brings: it reloads changed or not. Equal content
    /// is an echo from a watcher and `Same` from the editor, with one exception: if a watcher was faster than the
    /// editor's message about the same save, that message is the echo. This is so once per content; a second save
    /// without a change is `Same`.
    /// *Source*: editors, 2.10; Lua specification, 5.4.
    pub fn admit(&mut self, change: Change) -> Admission {
        let hash = change.content.hash();
        let is_watched = matches!(change.source, Source::Watcher | Source::Bulk);
        match self.known.get_mut(&change.path) {
            Some(known) if known.hash == hash && change.source != Source::Command => {
                if is_watched || std::mem::replace(&mut known.awaits_save, false) {
                    Admission::Echo
                } else {
                    Admission::Same
                }
            }
            // A file that came and went before anybody looked.
            None if hash.is_none() && is_watched => Admission::Echo,
            _ => {
                let awaits_save = is_watched;
                self.known
                    .insert(Arc::clone(&change.path), Known { hash, awaits_save });
                Admission::Admitted(change)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, source: Source) -> Change {
        Change {
            path: Arc::from(Path::new("/p/a.lua")),
            content: Content::Text(SourceText::new(text.as_bytes())),
            source,
        }
    }

    fn removal(source: Source) -> Change {
        Change {
            content: Content::Removed,
            ..report("", source)
        }
    }

    /// Plays reports one after another: `+` admitted, `e` echo, `=` same.
    fn play(intake: &mut Intake, reports: &[Change]) -> String {
        let verdict = |report: &Change| match intake.admit(report.clone()) {
            Admission::Admitted(change) => {
                assert_eq!(&change, report);
                '+'
            }
            Admission::Echo => 'e',
            Admission::Same => '=',
        };
        reports.iter().map(verdict).collect()
    }

    #[test]
    fn one_save_is_admitted_once_in_every_order_of_its_tellers() {
        use Source::{Save, Watcher};
        for order in [
            [Save, Watcher, Watcher],
            [Watcher, Save, Watcher],
            [Watcher, Watcher, Save],
        ] {
            let mut intake = Intake::new();
            intake.seed(Arc::from(Path::new("/p/a.lua")), ContentHash::of(b"old"));
            assert_eq!(
                play(&mut intake, &order.map(|it| report("new", it))),
                "+ee",
                "{order:?}"
            );
            assert_eq!(
                play(&mut intake, &[report("new", Save), report("new", Watcher)]),
                "=e"
            );
        }
    }

    #[test]
    fn a_save_without_a_change_is_the_same_text() {
        let mut intake = Intake::new();
        intake.seed(Arc::from(Path::new("/p/a.lua")), ContentHash::of(b"x"));
        let saves = [report("x", Source::Save), report("x", Source::Save)];
        assert_eq!(play(&mut intake, &saves), "==");
    }

    #[test]
    fn a_touch_seen_by_a_watcher_is_an_echo() {
        let mut intake = Intake::new();
        intake.seed(Arc::from(Path::new("/p/a.lua")), ContentHash::of(b"x"));
        assert_eq!(
            play(
                &mut intake,
                &[report("x", Source::Watcher), report("x", Source::Bulk)]
            ),
            "ee"
        );
        assert_eq!(
            play(&mut intake, &[report("x", Source::Save)]),
            "=",
            "an echo claims nothing"
        );
    }

    #[test]
    fn a_file_may_go_and_come_back() {
        let mut intake = Intake::new();
        let reports = [
            report("x", Source::Watcher),
            removal(Source::Watcher),
            removal(Source::Bulk),
            report("x", Source::Watcher),
        ];
        assert_eq!(play(&mut intake, &reports), "++e+");
        assert_eq!(
            intake.last(Path::new("/p/a.lua")),
            Some(ContentHash::of(b"x"))
        );
    }

    #[test]
    fn a_file_never_heard_of_cannot_go() {
        let mut intake = Intake::new();
        assert_eq!(play(&mut intake, &[removal(Source::Watcher)]), "e");
    }

    #[test]
    fn a_command_is_always_admitted() {
        let mut intake = Intake::new();
        let reports = [
            report("x", Source::Save),
            report("x", Source::Command),
            report("x", Source::Save),
        ];
        assert_eq!(play(&mut intake, &reports), "++=");
    }

    #[test]
    fn a_report_that_came_before_the_index_stays() {
        let mut intake = Intake::new();
        play(&mut intake, &[report("new", Source::Save)]);
        intake.seed(Arc::from(Path::new("/p/a.lua")), ContentHash::of(b"old"));
        assert_eq!(play(&mut intake, &[report("new", Source::Watcher)]), "e");
        intake.forget(Path::new("/p/a.lua"));
        assert_eq!(play(&mut intake, &[report("new", Source::Watcher)]), "+");
        intake.forget_all(|path| path.starts_with("/p"));
        assert_eq!(intake.last(Path::new("/p/a.lua")), None);
    }
}
