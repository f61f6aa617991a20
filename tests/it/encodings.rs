//! T15 and T16: positions in three encodings, and one file under many spellings.

use hotsave_tests::{
    client::{Client, uri},
    fixture::Project,
    options::Options,
};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::json;

/// How long `text` is in an encoding's units.
fn units(encoding: &str, text: &str) -> usize {
    match encoding {
        "utf-8" => text.len(),
        "utf-16" => text.encode_utf16().count(),
        _ => text.chars().count(),
    }
}

fn open(project: &Project, encodings: &'static [&'static str]) -> Client {
    let mut client = Client::spawn(
        project,
        Options {
            encodings,
            ..Options::default()
        },
    );
    let result = client.initialize();
    let expected = if encodings.contains(&"utf-8") {
        "utf-8"
    } else {
        encodings.first().copied().unwrap_or("utf-16")
    };
    assert_eq!(
        result["capabilities"]["positionEncoding"]
            .as_str()
            .unwrap_or("utf-16"),
        expected
    );
    client.initialized();
    client.idle();
    client
}

const OFFERS: [&[&str]; 4] = [
    &[],
    &["utf-16"],
    &["utf-32", "utf-16"],
    &["utf-16", "utf-8"],
];

fn chosen(encodings: &'static [&'static str]) -> &'static str {
    if encodings.contains(&"utf-8") {
        "utf-8"
    } else {
        encodings.first().copied().unwrap_or("utf-16")
    }
}

#[test]
fn columns_count_what_the_client_counts() {
    for encodings in OFFERS {
        let project = Project::empty();
        let mut client = open(&project, encodings);
        let before = "local s = \"🎈e\u{301}ß\" ";
        client.edit("a.lua", &format!("-- 🎈\r\n{before}= 1\r\nreturn {{}}\r\n"));
        let found = client.await_problems("a.lua", "a syntax error", |found| found.len() == 1);
        let column = u64::try_from(units(chosen(encodings), before)).unwrap();
        assert_eq!(
            (found[0].line, found[0].columns.0),
            (2, column),
            "{encodings:?}: {found:?}"
        );
        client.finish();
    }
}

/// What an edit may insert: one, two, three and four bytes of UTF-8, a combining mark, both kinds of line end.
const PIECES: [&str; 8] = ["a", "ß", "水", "🎈", "e\u{301}", "\n", "\r\n", "xyz"];

/// Random edits arrive as the model says, in all three encodings, past the end included.
#[test]
fn random_edits_equal_the_model() {
    for encodings in OFFERS {
        let encoding = chosen(encodings);
        let project = Project::empty();
        let mut client = open(&project, encodings);
        let mut round = 0;
        let edit = (
            0..6_usize,
            0..12_usize,
            0..3_usize,
            0..12_usize,
            proptest::collection::vec(0..PIECES.len(), 0..4),
        );
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 12,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let client = std::cell::RefCell::new(&mut client);
        let round = std::cell::RefCell::new(&mut round);
        runner
            .run(&proptest::collection::vec(edit, 1..30), |edits| {
                **round.borrow_mut() += 1;
                check_edits(&mut client.borrow_mut(), encoding, &edits, **round.borrow());
                Ok(())
            })
            .unwrap();
        client.into_inner().accept_leftovers();
    }
}

type Edit = (usize, usize, usize, usize, Vec<usize>);

/// Sends `edits` to a document that prints itself, byte by byte, when it is saved and so loaded.
fn check_edits(client: &mut Client, encoding: &str, edits: &[Edit], round: u32) {
    let (head, tail) = (
        "local s = [==[\n",
        "]==]\nprint((\"text ROUND \" .. s:gsub(\".\", function(c) return (\"%02x\"):format(c:byte()) end)) .. \".\")\nreturn {}\n",
    );
    let tail = tail.replace("ROUND", &round.to_string());
    let file = format!("doc_{round}.lua");
    let uri = uri(&client.path(&file));
    let mut middle = String::from("one\ntwo\n");
    client.edit(&file, &format!("{head}{middle}{tail}"));
    for (version, (line, column, n_lines, end_column, pieces)) in edits.iter().enumerate() {
        let text: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
        // Only inside the long string: its first line is line 1 of the document.
        let lines = split_lines(&middle);
        let last = lines.len() - 1;
        let (from, to) = ((*line).min(last), (line + n_lines).min(last));
        let start = offset(encoding, &lines, from, *column);
        let end = offset(encoding, &lines, to, *end_column).max(start);
        let (start_place, end_place) =
            (place(encoding, &lines, start), place(encoding, &lines, end));
        // Every fourth edit that ends on a line other than the last names a column far beyond its end.
        let line_end = line_starts(&lines)[end_place.0] + content(lines[end_place.0]).len();
        let far = version % 4 == 3 && end == line_end && end_place.0 != last;
        let end_character = if far { end_place.1 + 1000 } else { end_place.1 };
        let range = json!({
            "start": { "line": start_place.0 + 1, "character": start_place.1 },
            "end": { "line": end_place.0 + 1, "character": end_character },
        });
        middle.replace_range(start..end, &text);
        client.notify(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version + 2 }, "contentChanges": [{ "range": range, "text": text }] }),
        );
    }
    // No text in the save and no file on disk: the document is what was saved.
    client.notify(
        "textDocument/didSave",
        json!({ "textDocument": { "uri": uri } }),
    );
    let reload = client.reload();
    assert_eq!(reload.tag(), "applied", "{}", reload.finished);
    let line = client.log(&format!("text {round} "));
    let hex = line
        .split(&format!("text {round} "))
        .nth(1)
        .unwrap()
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
        .collect();
    // Lua reads every kind of line end in a long string as a line feed.
    let expected = middle.replace("\r\n", "\n");
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        expected,
        "{encoding}: {edits:?}"
    );
}

/// Lines with their line ends; after a last line end there is one more, empty line.
fn split_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if text.is_empty() || text.ends_with('\n') {
        lines.push("");
    }
    lines
}

fn content(line: &str) -> &str {
    line.trim_end_matches('\n').trim_end_matches('\r')
}

fn line_starts(lines: &[&str]) -> Vec<usize> {
    let mut start = 0;
    lines
        .iter()
        .map(|line| {
            let this = start;
            start += line.len();
            this
        })
        .collect()
}

/// The byte offset of a column, moved back to a whole character and into the line.
fn offset(encoding: &str, lines: &[&str], line: usize, column: usize) -> usize {
    let text = content(lines[line]);
    let boundaries = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let within = boundaries
        .take_while(|&at| units(encoding, &text[..at]) <= column)
        .last()
        .unwrap_or(0);
    line_starts(lines)[line] + within
}

fn place(encoding: &str, lines: &[&str], offset: usize) -> (usize, usize) {
    let starts = line_starts(lines);
    let line = starts.iter().rposition(|&start| start <= offset).unwrap();
    let text = lines[line];
    (
        line,
        units(encoding, &text[..(offset - starts[line]).min(text.len())]),
    )
}

/// T16.
#[test]
fn one_file_under_many_spellings_is_one_file() {
    let project = Project::new("//- /my dir/a#b%c.lua\nRUNS = (RUNS or 0) + 1\nreturn { n = 0 }\n");
    let mut client = Client::open(&project);
    let root = uri(project.root());
    let plain = uri(&project.path("my dir/a#b%c.lua"));
    let spellings = [
        plain.clone(),
        format!("{root}/%6Dy%20dir/a%23b%25c.lua"),
        format!("{root}/./my%20dir/a%23b%25c.lua"),
        format!("{root}/other/../my%20dir/a%23b%25c.lua"),
        plain.replacen("file:///", "file://localhost/", 1),
    ];
    let broken = "return {\n";
    client.edit("my dir/a#b%c.lua", broken);
    let problems = client.await_problems(
        "my dir/a#b%c.lua",
        "under the spelling that was opened",
        |found| found.len() == 1,
    );
    assert_eq!(problems[0].code, "lua/syntax");
    for (index, spelling) in spellings.iter().enumerate() {
        let text = format!("RUNS = (RUNS or 0) + 1\nreturn {{ n = {} }}\n", index + 1);
        client.edit("my dir/a#b%c.lua", &text);
        project.write("my dir/a#b%c.lua", &text);
        client.notify(
            "textDocument/didSave",
            json!({ "textDocument": { "uri": spelling }, "text": text }),
        );
        let reload = client.reload();
        assert_eq!(reload.tag(), "applied", "{spelling}: {}", reload.finished);
        assert_eq!(reload.started["trigger"], json!([plain]), "{spelling}");
    }
    assert_eq!(client.look("RUNS"), "5");
    client.finish();
}
