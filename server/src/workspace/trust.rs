//! The per-user state directory: who is trusted to run what, and the last generation of each project.
//!
//! Trust is bound to a folder and to the text of the configuration's commands, so that a changed command needs it again.
//! Nothing of this lies in the project: a cloned folder cannot trust itself.

use std::{
    collections::BTreeMap,
    env, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use hotsave_engine::{generation::Generation, text::ContentHash};
use serde::{Deserialize, Serialize};

/// A generation number is reserved this far ahead, so that a save does not wait for a disk.
const RESERVED: u64 = 100;

/// Where hotsave keeps what belongs to a person and not to a project.
#[derive(Clone, Debug)]
pub struct StateDir {
    dir: PathBuf,
}

/// Folders that may run things, each with the commands it was trusted for.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TrustFile {
    folders: BTreeMap<PathBuf, String>,
}

/// What the store says of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant says when"
)]
pub enum Decision {
    /// These very commands are trusted.
    Granted,
    /// Nothing was ever trusted here.
    Unknown,
    /// Other commands were trusted; these are they.
    Changed { trusted: String },
}

impl StateDir {
    /// `$HOTSAVE_STATE_DIR`, else `$XDG_STATE_HOME/hotsave`, else `~/.local/state/hotsave`, else the temporary folder.
    #[must_use]
    pub fn of_environment() -> Self {
        let var = |name| {
            env::var_os(name)
                .filter(|it| !it.is_empty())
                .map(PathBuf::from)
        };
        let dir = var("HOTSAVE_STATE_DIR")
            .or_else(|| var("XDG_STATE_HOME").map(|it| it.join("hotsave")))
            .or_else(|| var("HOME").map(|it| it.join(".local/state/hotsave")))
            .unwrap_or_else(|| env::temp_dir().join("hotsave-state"));
        Self { dir }
    }

    /// A given directory, for tests.
    #[must_use]
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory itself, which need not exist yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Whether `commands` (see `Config::commands`) may run in `folder`. A store that cannot be read trusts nobody.
    #[must_use]
    pub fn decide(&self, folder: &Path, commands: &str) -> Decision {
        match self.read_trust().folders.remove(folder) {
            Some(trusted) if trusted == commands => Decision::Granted,
            Some(trusted) => Decision::Changed { trusted },
            None => Decision::Unknown,
        }
    }

    /// Trusts `commands` in `folder` from now on.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn grant(&self, folder: &Path, commands: &str) -> io::Result<()> {
        let mut trust = self.read_trust();
        trust.folders.insert(folder.to_owned(), commands.to_owned());
        self.write_trust(&trust)
    }

    /// Takes trust back; returns whether there was any.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn revoke(&self, folder: &Path) -> io::Result<bool> {
        let mut trust = self.read_trust();
        let was_trusted = trust.folders.remove(folder).is_some();
        if was_trusted {
            self.write_trust(&trust)?;
        }
        Ok(was_trusted)
    }

    /// The generation to go on from in `folder`, and reserves the next ones, so that numbers rise also after a crash.
    /// A directory that cannot be read or written starts at 0.
    #[must_use]
    pub fn resume_generations(&self, folder: &Path) -> Generation {
        let file = self.generation_file(folder);
        let last = fs::read_to_string(&file)
            .ok()
            .and_then(|it| it.trim().parse().ok())
            .unwrap_or(0);
        self.write_generation(folder, last + RESERVED);
        Generation::new(last)
    }

    /// Reserves more numbers if `generation` has used up what was reserved from `first` on; cheap otherwise.
    pub fn used_generation(&self, folder: &Path, first: Generation, generation: Generation) {
        let used = generation.number() - first.number();
        if used > 0 && used.is_multiple_of(RESERVED) {
            self.write_generation(folder, generation.number() + RESERVED);
        }
    }

    /// Gives back what was reserved and not used, at an orderly end.
    pub fn close_generations(&self, folder: &Path, last: Generation) {
        self.write_generation(folder, last.number());
    }

    fn write_generation(&self, folder: &Path, number: u64) {
        let file = self.generation_file(folder);
        if let Err(error) = write_private(&file, number.to_string().as_bytes()) {
            tracing::warn!("cannot write {}: {error}", file.display());
        }
    }

    fn generation_file(&self, folder: &Path) -> PathBuf {
        let name = ContentHash::of(folder.as_os_str().as_encoded_bytes());
        self.dir.join("generations").join(name.to_string())
    }

    fn trust_file(&self) -> PathBuf {
        self.dir.join("trust.json")
    }

    fn read_trust(&self) -> TrustFile {
        let Ok(bytes) = fs::read(self.trust_file()) else {
            return TrustFile::default();
        };
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!(
                "cannot read {}: {error}; nothing is trusted",
                self.trust_file().display()
            );
            TrustFile::default()
        })
    }

    fn write_trust(&self, trust: &TrustFile) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(trust).map_err(io::Error::other)?;
        write_private(&self.trust_file(), &bytes)
    }
}

/// Writes a file only its owner can read, whole or not at all.
fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut output = options.open(&temporary)?;
    output.write_all(bytes)?;
    drop(output);
    fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_bound_to_folder_and_commands_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().join("state"));
        let folder = Path::new("/project");
        assert_eq!(state.decide(folder, "entry a"), Decision::Unknown);
        state.grant(folder, "entry a").unwrap();
        assert_eq!(state.decide(folder, "entry a"), Decision::Granted);
        assert_eq!(
            state.decide(folder, "entry b"),
            Decision::Changed {
                trusted: "entry a".into()
            }
        );
        assert_eq!(
            state.decide(Path::new("/project/sub"), "entry a"),
            Decision::Unknown
        );
        assert!(state.revoke(folder).unwrap());
        assert!(!state.revoke(folder).unwrap());
        assert_eq!(state.decide(folder, "entry a"), Decision::Unknown);
    }

    #[test]
    fn a_damaged_store_trusts_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        state.grant(Path::new("/project"), "").unwrap();
        fs::write(dir.path().join("trust.json"), "{").unwrap();
        assert_eq!(state.decide(Path::new("/project"), ""), Decision::Unknown);
    }

    #[test]
    fn generations_rise_over_restarts_and_crashes() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let folder = Path::new("/project");
        assert_eq!(state.resume_generations(folder), Generation::new(0));
        // A crash: nothing was closed.
        let second = state.resume_generations(folder);
        assert!(second >= Generation::new(RESERVED));
        state.close_generations(folder, Generation::new(second.number() + 3));
        assert_eq!(
            state.resume_generations(folder),
            Generation::new(second.number() + 3)
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_trust_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        state.grant(Path::new("/project"), "").unwrap();
        let mode = fs::metadata(dir.path().join("trust.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
