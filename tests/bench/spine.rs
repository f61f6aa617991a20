//! What a save costs, beside the floor of the same run: `cargo bench -p hotsave-tests --bench spine [-- --quick]`.
//!
//! Projects of 100, 1,000 and 10,000 generated modules, all loaded; the release binary over real pipes; settle window 0.
//! Floors: the same texts compiled and run by the same Lua in this process, a frame echoed by `cat`, the files read from disk.
//! The peer is what people write by hand: `package.loaded[name] = nil; require(name)` in a `lua5.4` behind a pipe; it
//! keeps no state and takes nothing back.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark prints its table"
)]

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hotsave_tests::{
    client::{Client, PATIENCE},
    fixture::Project,
    options::{self, Options},
    process,
    project::{Generated, Shape, file, generate},
    wire,
};
use mlua::{Lua, Table, Value};
use serde_json::json;

fn main() {
    let quick = env::args().any(|argument| argument == "--quick");
    build_release();
    println!("hotsave {} on {}", version(), machine());
    println!("p50 / p99 in ms; ratio is p50 over the floor's p50\n");
    let mut table = Report::default();
    let sizes: &[usize] = if quick {
        &[100, 1_000]
    } else {
        &[100, 1_000, 10_000]
    };
    for &n_modules in sizes {
        let n_rounds = match (quick, n_modules) {
            (true, _) => 50,
            (false, 10_000) => 100,
            (false, _) => 300,
        };
        measure(n_modules, n_rounds, &mut table);
    }
    println!("{}", table.render());
}

/// Everything about one project size.
fn measure(n_modules: usize, n_rounds: usize, table: &mut Report) {
    eprintln!("{n_modules} modules …");
    let generated = generate(Shape::of(n_modules));
    let project = generated.write();
    let size = |what: &str| format!("{n_modules} · {what}");

    let reading = Times::of(5, || read_all(&generated, &project));
    let cold = cold_start(&project);
    table.times(
        &size("cold start to idle"),
        &cold.times,
        Some(("files read", &reading)),
        "≤ 500",
    );
    table.figure(
        &size("resident after cold start"),
        format!("{:.1} MiB", mib(cold.resident_kib)),
        "≤ 150 MiB",
    );

    let floor = Floor::new(&generated);
    let loading = Times::of(3, || drop(Floor::new(&generated)));
    let (mut client, loaded) = load_all(&project);
    table.times(
        &size("start to all loaded"),
        &loaded,
        Some(("compile + run of all", &loading)),
        "",
    );

    let echo = echo_floor(generated.text(&generated.leaf).len(), n_rounds);
    let one = std::slice::from_ref(&generated.leaf);
    let run = Times::of(n_rounds, || floor.run(&generated, one));
    let (seen, inside) = saves(&mut client, &generated, &generated.leaf, n_rounds);
    table.times(
        &size("leaf save, seen by the editor"),
        &seen,
        Some(("compile + run", &run)),
        "≤ 5 / 30",
    );
    table.times(
        &size("leaf save, durationMs"),
        &inside,
        Some(("compile + run", &run)),
        "",
    );
    table.times(&size("bare pipe round trip of that save"), &echo, None, "");

    let run = Times::of(n_rounds, || floor.run(&generated, &generated.affected));
    let (seen, inside) = saves(&mut client, &generated, &generated.base, n_rounds);
    let affected = generated.affected.len();
    table.times(
        &size(&format!("{affected} affected, seen")),
        &seen,
        Some(("compile + run", &run)),
        "≤ 3 ×",
    );
    table.times(
        &size(&format!("{affected} affected, durationMs")),
        &inside,
        Some(("compile + run", &run)),
        "",
    );

    if let Some(mut peer) = Peer::start(&generated, &project) {
        let leaf = Times::of(n_rounds, || peer.reload(one));
        let fifty = Times::of(n_rounds, || peer.reload(&generated.affected));
        table.times(&size("peer: hand-written reloader, leaf"), &leaf, None, "");
        table.times(
            &size(&format!("peer: hand-written reloader, {affected}")),
            &fifty,
            None,
            "",
        );
    }

    let worker = client.worker().unwrap();
    table.figure(
        &size("resident, server"),
        format!("{:.1} MiB", mib(process::resident_kib(client.pid()))),
        "",
    );
    table.figure(
        &size("resident, worker with all modules"),
        format!("{:.1} MiB", mib(process::resident_kib(worker))),
        "",
    );
    let pids = [client.pid(), worker];
    client.quiet_for(Duration::from_secs(1));
    let before: u64 = pids.iter().map(|&pid| process::cpu_ticks(pid)).sum();
    client.quiet_for(Duration::from_secs(5));
    let used = pids.iter().map(|&pid| process::cpu_ticks(pid)).sum::<u64>() - before;
    table.figure(
        &size("CPU while idle, both"),
        format!("{} ms in 5 s", used * 10),
        "0",
    );
    client.accept_leftovers();
}

struct Cold {
    times: Times,
    resident_kib: u64,
}

/// Spawn to the first idle status, nothing loaded; the second of the runs on has a warm page cache, as the floor has.
fn cold_start(project: &Project) -> Cold {
    let configuration = project.read("hotsave.toml").unwrap();
    project.write("hotsave.toml", "[lua]\nload = \"saved\"\n");
    let mut resident_kib = 0;
    let times = Times::of(5, || {
        let mut client = Client::open_with(project, Options::default());
        resident_kib = process::resident_kib(client.pid());
        client.accept_leftovers();
        // The end is not part of it, but its cost is small beside the start.
    });
    project.write("hotsave.toml", &configuration);
    Cold {
        times,
        resident_kib,
    }
}

/// Opens the project with everything loaded; the time until the startup generation is through.
fn load_all(project: &Project) -> (Client, Times) {
    let start = Instant::now();
    let mut client = Client::open_with(project, Options::default());
    client.accept_leftovers();
    let reload = client.reload();
    assert_eq!(reload.tag(), "applied", "{}", reload.finished);
    let took = start.elapsed();
    (client, Times(vec![took]))
}

/// Saves `name` over and over: what the editor sees from `didSave` to `reloadFinished`, and what the server says it took.
fn saves(
    client: &mut Client,
    generated: &Generated,
    name: &str,
    n_rounds: usize,
) -> (Times, Times) {
    const WARM_UP: usize = 30;
    let path = file(name);
    let (mut seen, mut inside) = (Vec::new(), Vec::new());
    for round in 0..WARM_UP + n_rounds {
        let text = generated.edited(name, round);
        client.edit(&path, &text);
        fs::write(client.path(&path), &text).unwrap();
        let start = Instant::now();
        client.did_save(&path, &text);
        let reload = client.reload();
        let took = start.elapsed();
        assert_eq!(reload.tag(), "applied", "{}", reload.finished);
        if WARM_UP <= round {
            seen.push(took);
            inside.push(Duration::from_secs_f64(
                reload.finished["durationMs"].as_f64().unwrap() / 1000.0,
            ));
        }
    }
    (Times(seen), Times(inside))
}

/// The same Lua, without us: every module of the project loaded in this process.
struct Floor {
    lua: Lua,
    reload: mlua::Function,
}

impl Floor {
    fn new(generated: &Generated) -> Self {
        let lua = Lua::new();
        let texts = lua.create_table().unwrap();
        for (name, text) in &generated.modules {
            texts.set(name.as_str(), text.as_str()).unwrap();
        }
        lua.globals().set("texts", texts).unwrap();
        let script = "package.searchers = { function(name)
                local text = texts[name]
                return text and assert(load(text, '@' .. name, 't'))
            end }
            for name in pairs(texts) do require(name) end
            return function(name, text)
                package.loaded[name] = nil
                package.loaded[name] = assert(load(text, '@' .. name, 't'))(name) or true
            end";
        let reload = lua.load(script).eval().unwrap();
        Self { lua, reload }
    }

    fn run(&self, generated: &Generated, names: &[String]) {
        for name in names {
            self.reload
                .call::<()>((name.as_str(), generated.text(name)))
                .unwrap();
        }
        let loaded: Table = self
            .lua
            .globals()
            .get::<Table>("package")
            .unwrap()
            .get("loaded")
            .unwrap();
        assert!(loaded.get::<Value>(names[0].as_str()).unwrap().is_table());
    }
}

/// A frame of the size of that save, there and back through `cat`.
fn echo_floor(text_length: usize, n_rounds: usize) -> Times {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let bytes =
        wire::frame(&json!({ "method": "textDocument/didSave", "text": "x".repeat(text_length) }));
    let mut back = vec![0; bytes.len()];
    let times = Times::of(n_rounds, || {
        stdin.write_all(&bytes).unwrap();
        stdout.read_exact(&mut back).unwrap();
    });
    drop(stdin);
    child.wait().unwrap();
    times
}

fn read_all(generated: &Generated, project: &Project) {
    let n_bytes: usize = generated
        .modules
        .iter()
        .map(|(name, _)| fs::read(project.path(&file(name))).unwrap().len())
        .sum();
    assert!(0 < n_bytes);
}

/// The reloader people write by hand, in an interpreter of its own.
struct Peer {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Peer {
    fn start(generated: &Generated, project: &Project) -> Option<Self> {
        let script = "for line in io.lines() do
                for name in line:gmatch('%S+') do package.loaded[name] = nil end
                for name in line:gmatch('%S+') do require(name) end
                io.write('ok\\n') io.flush()
            end";
        let mut command = Command::new("lua5.4");
        command
            .args(["-e", script])
            .current_dir(project.root())
            .env("LUA_PATH", "./?.lua");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, output };
        let names: Vec<String> = generated
            .modules
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        peer.reload(&names);
        Some(peer)
    }

    fn reload(&mut self, names: &[String]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", names.join(" ")).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "ok\n");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        process::kill(self.child.id());
        let _ = self.child.wait();
    }
}

/// Times of the rounds, in order.
struct Times(Vec<Duration>);

impl Times {
    fn of(n_rounds: usize, mut work: impl FnMut()) -> Self {
        let times = (0..n_rounds).map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        });
        Self(times.collect())
    }

    /// The time below which that share of the rounds lies, in ms.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = ((sorted.len() - 1) as f64 * share).round() as usize;
        sorted[index].as_secs_f64() * 1000.0
    }
}

#[derive(Default)]
struct Report(Vec<[String; 5]>);

impl Report {
    fn times(&mut self, what: &str, times: &Times, floor: Option<(&str, &Times)>, budget: &str) {
        let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
        let figure = if times.0.len() < 10 {
            format!("{p50:.1}")
        } else {
            format!("{p50:.2} / {p99:.2}")
        };
        let (beside, ratio) = match floor {
            Some((name, floor)) => {
                let floor = floor.quantile(0.5);
                (
                    format!("{floor:.2} {name}"),
                    format!("{:.1} ×", p50 / floor),
                )
            }
            None => (String::new(), String::new()),
        };
        self.0
            .push([what.to_owned(), figure, beside, ratio, budget.to_owned()]);
    }

    fn figure(&mut self, what: &str, figure: String, budget: &str) {
        self.0.push([
            what.to_owned(),
            figure,
            String::new(),
            String::new(),
            budget.to_owned(),
        ]);
    }

    fn render(&self) -> String {
        let head = ["what", "measured", "floor", "ratio", "budget"].map(str::to_owned);
        let rows: Vec<&[String; 5]> = std::iter::once(&head).chain(&self.0).collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap()
        };
        let widths: Vec<usize> = (0..5).map(width).collect();
        let mut text = String::new();
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                let _ = writeln!(text, "| {} |", rule.join(" | "));
            }
        }
        text
    }
}

/// `cargo bench` builds this program, not the binary it measures.
fn build_release() {
    if env::var_os("HOTSAVE_BIN").is_none() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--package=hotsave"])
            .status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the release binary does not build"
        );
    }
}

fn version() -> String {
    let output = Command::new(options::binary())
        .arg("--version")
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .trim_start_matches("hotsave ")
        .to_owned()
}

fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{n_cores} cores of {}, patience {} s",
        name.trim_start_matches([' ', '\t', ':']),
        PATIENCE.as_secs()
    )
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
