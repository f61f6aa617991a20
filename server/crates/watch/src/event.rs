//! What a watcher is told and what it tells: roots in, events out.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hotsave_engine::change::Source;

/// Something that watches folders and reports on a channel that its maker gave it.
pub trait Watch {
    /// Starts watching a folder; a folder that is watched already starts anew with the new globs.
    ///
    /// Returns at once. [`Kind::Ready`] tells when the watch is in place.
    fn add_root(&mut self, root: WatchRoot);

    /// Stops watching a folder; a folder that is not watched is no error.
    ///
    /// Events that were on their way may still arrive.
    fn remove_root(&mut self, path: &Path);
}

/// A folder to watch, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRoot {
    /// Absolute path; every reported path begins with it, spelled the same way.
    pub path: PathBuf,
    /// What else to leave out, in `.gitignore` syntax relative to `path`. A glob that begins with `!` takes a path in,
    /// whatever the standard rules and a `.gitignore` say.
    pub ignore: Vec<String>,
}

/// One report about one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchEvent {
    /// The root, as it was given.
    pub root: Arc<Path>,
    /// [`Source::Watcher`], or [`Source::Bulk`] when a mass of files changes or a version-control command is at work.
    pub source: Source,
    /// What happened.
    pub kind: Kind,
}

/// What happened below a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The watch is in place: every change from here on is reported.
    ///
    /// Comes once for each `add_root`, before any `Changed` of that root.
    Ready {
        /// All files that are not ignored, sorted. Each was listed after its directory was watched, so reading them now
        /// leaves no gap.
        files: Vec<PathBuf>,
    },

    /// These files may have been created, modified or removed: read and compare.
    Changed {
        /// Sorted, no path twice; a path that cannot be read as a file was removed.
        paths: Vec<PathBuf>,
    },

    /// A directory was removed or moved with all that was in it; its files are not listed one by one.
    Gone {
        /// Where it was. Files known below are to be looked at again: they may exist anew.
        directory: PathBuf,
        /// Where it is now, if that lies below the same root and is not ignored; its files come as `Changed`.
        moved_to: Option<PathBuf>,
    },

    /// Walk a directory with the same rules, compare by hash, and forget the files that are no longer found.
    Rescan {
        /// The root or a directory below it.
        directory: PathBuf,
        /// Why single reports are not enough.
        because: Cause,
    },

    /// A version-control command began or ended its work in the working copy.
    Lock {
        /// Whether one is at work now.
        held: bool,
    },

    /// Watching works less well than it should.
    Degraded {
        /// One line: what, where, and the remedy. Said once until `Recovered`.
        message: String,
    },

    /// What the last `Degraded` said is over.
    Recovered,
}

/// Why a directory has to be walked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The system dropped reports; worth a warning to the user.
    Lost,
    /// Another one took its place, or it came back.
    Replaced,
    /// A `.gitignore` changed, so that other files count.
    Rules,
}
