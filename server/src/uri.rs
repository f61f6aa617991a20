//! URIs and paths: the one place where the first become the second and back.
//!
//! Touches no file, so a symbolic link is not followed here. Must stay true: every spelling of a `file:` URI gives one
//! path, and that path's own URI gives it back. Any other URI is a virtual document: its text is its (relative) path.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use dashmap::DashMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What stays as it is in the path of a URI; the rest is percent-encoded.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b':');

/// How paths look on a system; an argument, so that one machine tests both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    Unix,
    Windows,
}

const HERE: System = if cfg!(windows) {
    System::Windows
} else {
    System::Unix
};

/// How the client spells its files, so that everything sent back is spelled the same way.
///
/// A spelling outlives its document: the diagnostics that are emptied after `didClose` must meet the same key.
#[derive(Debug, Default)]
pub(crate) struct Spellings(DashMap<Arc<Path>, Arc<str>>);

impl Spellings {
    /// The path of `uri`, whose spelling is kept.
    pub(crate) fn learn(&self, uri: &str) -> Arc<Path> {
        let path = to_path(uri);
        self.0.insert(Arc::clone(&path), uri.into());
        path
    }

    /// The URI of `path` as the client spells it, else the standard spelling.
    pub(crate) fn uri(&self, path: &Path) -> String {
        self.0
            .get(path)
            .map_or_else(|| from_path(path), |it| it.to_string())
    }
}

/// The normal path of a URI.
///
/// *Shape*: absolute for `file:`, with percent signs decoded, `.` and `..` resolved, drive letters upper case and hosts
/// as UNC; query and fragment are not part of it. Relative for every other scheme: the URI's own text.
pub(crate) fn to_path(uri: &str) -> Arc<Path> {
    match file_part(uri) {
        Some(rest) => system_path(normal(rest, HERE)).into(),
        None => Path::new(uri).into(),
    }
}

/// The URI of a path.
pub(crate) fn from_path(path: &Path) -> String {
    spelled(path.as_os_str().as_encoded_bytes(), HERE)
}

/// What follows `file:`, without query and fragment; `None` for other schemes.
fn file_part(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let rest = rest.split(['?', '#']).next()?;
    scheme.eq_ignore_ascii_case("file").then_some(rest)
}

/// Bytes of the normal path.
fn normal(rest: &str, system: System) -> Vec<u8> {
    let (host, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let is_separator = |it: &u8| *it == b'/' || (system == System::Windows && *it == b'\\');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in decoded.split(is_separator) {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let drive = parts.first().and_then(|it| match it {
        [letter, b':' | b'|'] if letter.is_ascii_alphabetic() => Some(letter.to_ascii_uppercase()),
        _ => None,
    });
    let has_host = !host.is_empty() && !host.eq_ignore_ascii_case("localhost");
    match (system, drive) {
        (System::Unix, _) if has_host => {
            [b"//", host.as_bytes(), b"/", &parts.join(&b'/')].concat()
        }
        (System::Unix, _) => [b"/", &*parts.join(&b'/')].concat(),
        (System::Windows, _) if has_host => {
            [br"\\", host.as_bytes(), br"\", &parts.join(&b'\\')].concat()
        }
        (System::Windows, Some(letter)) => {
            let below = parts.get(1..).unwrap_or_default();
            [&[letter, b':', b'\\'], &*below.join(&b'\\')].concat()
        }
        (System::Windows, None) => [br"\", &*parts.join(&b'\\')].concat(),
    }
}

/// The URI of a path's bytes.
fn spelled(path: &[u8], system: System) -> String {
    let slashed: Vec<u8> = match system {
        System::Unix => path.to_vec(),
        System::Windows => path
            .iter()
            .map(|&it| if it == b'\\' { b'/' } else { it })
            .collect(),
    };
    let encoded = percent_encode(&slashed, ENCODED);
    let has_drive = system == System::Windows && slashed.get(1) == Some(&b':');
    match slashed.as_slice() {
        [b'/', b'/', ..] => format!("file:{encoded}"),
        [b'/', ..] => format!("file://{encoded}"),
        _ if has_drive => format!("file:///{encoded}"),
        // A virtual document: the path is the URI.
        _ => String::from_utf8_lossy(path).into_owned(),
    }
}

#[cfg(unix)]
fn system_path(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn system_path(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path_of(uri: &str, system: System) -> String {
        String::from_utf8(normal(file_part(uri).unwrap(), system)).unwrap()
    }

    #[test]
    fn every_spelling_of_a_file_is_one_path() {
        for uri in [
            "file:///game/my%20enemy.lua",
            "file:///game/my enemy.lua",
            "FILE:///game/my%20enemy.lua",
            "file://localhost/game/my%20enemy.lua",
            "file:/game/my%20enemy.lua",
            "file:///game/./x/../my%20enemy.lua",
            "file:///game//my%20enemy%2Elua",
            "file:///../game/my%20enemy.lua#L3",
            "file:///game/my%20enemy.lua?raw",
        ] {
            assert_eq!(path_of(uri, System::Unix), "/game/my enemy.lua", "{uri}");
        }
    }

    #[test]
    fn every_spelling_of_a_drive_is_one_drive() {
        for uri in [
            "file:///c%3A/game/a.lua",
            "file:///C:/game/a.lua",
            "file:///c:/game/x/../a.lua",
            "file:///c|/game/a.lua",
        ] {
            assert_eq!(path_of(uri, System::Windows), r"C:\game\a.lua", "{uri}");
        }
    }

    #[test]
    fn a_host_is_a_network_share() {
        assert_eq!(
            path_of("file://nas/share/a.lua", System::Windows),
            r"\\nas\share\a.lua"
        );
        assert_eq!(
            path_of("file://nas/share/a.lua", System::Unix),
            "//nas/share/a.lua"
        );
        assert_eq!(
            spelled(br"\\nas\share\a.lua", System::Windows),
            "file://nas/share/a.lua"
        );
        assert_eq!(
            spelled(b"//nas/share/a.lua", System::Unix),
            "file://nas/share/a.lua"
        );
    }

    #[test]
    fn signs_with_a_meaning_in_uris_are_encoded() {
        assert_eq!(
            spelled(b"/a b/100%/#1?.lua", System::Unix),
            "file:///a%20b/100%25/%231%3F.lua"
        );
        assert_eq!(
            spelled(br"C:\a b.lua", System::Windows),
            "file:///C:/a%20b.lua"
        );
        assert_eq!(
            path_of("file:///a%2520b", System::Unix),
            "/a%20b",
            "decoded once only"
        );
    }

    #[test]
    fn a_virtual_document_keeps_its_text() {
        for uri in ["untitled:Untitled-1", "git:/game/a.lua?%7B%22ref%22%3A1%7D"] {
            assert_eq!(&*to_path(uri), Path::new(uri));
            assert!(to_path(uri).is_relative());
            assert_eq!(from_path(&to_path(uri)), uri);
        }
    }

    #[test]
    fn the_clients_spelling_is_used_for_what_is_sent_back() {
        let spellings = Spellings::default();
        let path = spellings.learn("file:///game/a%2Eb.lua");
        assert_eq!(spellings.uri(&path), "file:///game/a%2Eb.lua");
        assert_eq!(
            spellings.uri(Path::new("/game/c.lua")),
            "file:///game/c.lua"
        );
    }

    #[cfg(unix)]
    proptest! {
        #[test]
        fn a_paths_uri_gives_the_path_back(names in prop::collection::vec("[^/\u{0}]{1,8}", 1..4)) {
            prop_assume!(names.iter().all(|it| it != "." && it != ".."));
            let path = PathBuf::from(format!("/{}", names.join("/")));
            prop_assert_eq!(&*to_path(&from_path(&path)), &*path);
        }
    }
}
