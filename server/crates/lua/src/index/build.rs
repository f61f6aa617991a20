//! The first build: reads and scans all files on every core.

use std::{
    io,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hotsave_engine::text::SourceText;

use super::{Content, FileId, ModuleIndex, Options};
use crate::scan::{Name, scan};

/// A file that could not be read.
#[derive(Debug)]
pub struct Unread {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Files a thread takes at once: enough to be rid of contention, few enough to end together.
const BATCH: usize = 32;

impl ModuleIndex {
    /// Reads and scans `paths` (absolute) on all cores; files that cannot be read are left out and returned.
    #[must_use]
    pub fn build(
        root: impl Into<Arc<Path>>,
        options: Options,
        paths: &[PathBuf],
    ) -> (Self, Vec<Unread>) {
        let next = AtomicUsize::new(0);
        let n_threads = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(paths.len().div_ceil(BATCH).max(1));
        let mut scanned: Vec<(usize, io::Result<Content>)> = thread::scope(|scope| {
            let work = || read_and_scan(paths, &options.loaders, &next);
            let helpers: Vec<_> = (1..n_threads).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            all.extend(
                helpers
                    .into_iter()
                    .flat_map(|it| it.join().unwrap_or_default()),
            );
            all
        });
        // Numbers follow the order of `paths`, whichever thread was faster.
        scanned.sort_unstable_by_key(|(idx, _)| *idx);
        let mut index = Self::new(root, options);
        let mut unread = Vec::new();
        for (idx, content) in scanned {
            let Some(path) = paths.get(idx) else { continue };
            match content {
                Ok(content) => index.admit(path, content),
                Err(error) => unread.push(Unread {
                    path: path.clone(),
                    error,
                }),
            }
        }
        index.link_all();
        (index, unread)
    }

    fn admit(&mut self, path: &Path, content: Content) {
        let Some(relative) = self.relative(path) else {
            return;
        };
        let file = self.file_at(&relative);
        if self.content(file).is_none() {
            self.count_names(file, true);
        }
        self.put(file, Some(content));
    }

    /// Files that ask relative to their own name come last: that name depends on what others ask for.
    fn link_all(&mut self) {
        let asks_by_own_name = |index: &Self, file: FileId| {
            let requires = index.scan(file).map_or(&[][..], |it| &it.requires);
            requires.iter().any(|it| matches!(it.name, Name::Own(..)))
        };
        let files: Vec<FileId> = self.files().collect();
        let (last, first): (Vec<FileId>, Vec<FileId>) = files
            .into_iter()
            .partition(|&it| asks_by_own_name(self, it));
        for file in first.into_iter().chain(last) {
            self.link(file);
        }
    }
}

fn read_and_scan(
    paths: &[PathBuf],
    loaders: &[String],
    next: &AtomicUsize,
) -> Vec<(usize, io::Result<Content>)> {
    let mut done = Vec::new();
    loop {
        let start = next.fetch_add(BATCH, Ordering::Relaxed);
        let batch = paths.iter().enumerate().skip(start).take(BATCH);
        if batch.len() == 0 {
            return done;
        }
        for (idx, path) in batch {
            let content = std::fs::read(path).map(|bytes| {
                let text = SourceText::new(bytes);
                Content {
                    hash: text.hash(),
                    scan: scan(&text, loaders),
                }
            });
            done.push((idx, content));
        }
    }
}
