//! Builds the index of a generated project and prints time and memory: `cargo run --release --example index_bench [-- N]`.

use std::{
    error::Error,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use hotsave_engine::text::SourceText;
use hotsave_lua::{
    index::{ModuleIndex, Options},
    resolve::Templates,
};

fn main() -> Result<(), Box<dyn Error>> {
    let n_modules = std::env::args()
        .nth(1)
        .map_or(Ok(10_000), |it| it.parse())?;
    let folder = std::env::temp_dir().join(format!("hotsave-index-bench-{}", std::process::id()));
    let paths = generate(&folder, n_modules)?;
    let outcome = measure(&folder, &paths);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn measure(folder: &Path, paths: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let options = Options {
        templates: Templates::plain(),
        loaders: Vec::new(),
    };
    let start = Instant::now();
    let n_bytes: usize = paths
        .iter()
        .map(|it| std::fs::read(it).map_or(0, |it| it.len()))
        .sum();
    let floor = start.elapsed();
    let (before, cpu_before) = (resident_kb(), cpu_ms());
    let start = Instant::now();
    let (mut index, _) = ModuleIndex::build(folder, options, paths);
    let (cold, cpu) = (start.elapsed(), cpu_ms() - cpu_before);
    let n_mb = n_bytes as f64 / 1e6;
    writeln!(
        out,
        "{} modules, {n_mb:.1} MB: cold {cold:.1?} ({cpu} ms of all cores), floor (read on one core) {floor:.1?}",
        paths.len()
    )?;
    writeln!(
        out,
        "resident {} MB, {} MB more than before",
        resident_kb() / 1000,
        (resident_kb() - before) / 1000
    )?;
    let path = &paths[paths.len() / 2];
    let mut source = std::fs::read(path)?;
    let n_rounds = 1_000_u32;
    let start = Instant::now();
    for _ in 0..n_rounds {
        source.extend_from_slice(b"\nx = 1");
        source.truncate(5_000);
        source.extend_from_slice(start.elapsed().as_nanos().to_string().as_bytes());
        index.set(path, &SourceText::new(source.clone()));
    }
    writeln!(out, "one changed file {:.1?}", start.elapsed() / n_rounds)?;
    Ok(())
}

/// Modules of 4.6 KB with ten functions and up to four requires of earlier modules.
fn generate(folder: &Path, n_modules: usize) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut random = 0x9e37_79b9_u64;
    let mut next = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap_or(0) % below.max(1)
    };
    let mut paths = Vec::new();
    for idx in 0..n_modules {
        let mut source = String::from("--- A generated module.\nlocal M = {}\n");
        for _ in 0..next(5).min(idx) {
            let target = next(idx);
            writeln!(
                source,
                "local m{target} = require \"pkg{}.m{target}\"",
                target % 100
            )?;
        }
        for function in 0..10 {
            writeln!(
                source,
                "\n--- Does step {function} of the work, with care.\nfunction M.step{function}(self, amount, target)"
            )?;
            writeln!(
                source,
                "  local total = self.total or {function}\n  for i = 1, amount do"
            )?;
            writeln!(
                source,
                "    if i % 2 == 0 and target then\n      total = total + target.value * {function}.5 -- even"
            )?;
            writeln!(
                source,
                "    elseif not target then\n      total = total - math.floor(i / 3)\n    end\n  end"
            )?;
            writeln!(
                source,
                "  self.total = total\n  self.label = \"step {function}: \" .. tostring(total)\n  return total\nend"
            )?;
        }
        source.push_str("\nreturn M\n");
        let path = folder
            .join(format!("pkg{}", idx % 100))
            .join(format!("m{idx}.lua"));
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(&path, source)?;
        paths.push(path);
    }
    Ok(paths)
}

/// User and system time of the process so far, in steps of 10 ms: on a busy machine it says more than the clock.
fn cpu_ms() -> i64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|it| it.parse::<i64>().ok());
    ticks.sum::<i64>() * 10
}

fn resident_kb() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|it| it.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(0)
}
