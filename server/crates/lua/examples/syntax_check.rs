//! Checks the files of a folder in every dialect, one line each: `cargo run --example syntax_check -- DIR`.
//!
//! Its output is compared with that of the real compilers (`luac -p`, `luajit -bl`).

use std::{error::Error, io::Write, path::Path};

use hotsave_engine::text::SourceText;
use hotsave_lua::syntax::{Dialect, check};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("which folder?")?;
    let mut paths = std::fs::read_dir(Path::new(&dir))?
        .map(|it| it.map(|it| it.path()))
        .collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut out = std::io::stdout().lock();
    for path in paths {
        let text = SourceText::new(std::fs::read(&path)?);
        for dialect in Dialect::ALL {
            let verdict = check(&text, dialect).map_or_else(
                || "ok".to_owned(),
                |it| {
                    format!(
                        "bad {}: {}: {}",
                        text.line_column(it.span.start).0 + 1,
                        it.code,
                        it.message
                    )
                },
            );
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            writeln!(out, "{name}\t{dialect}\t{verdict}")?;
        }
    }
    Ok(())
}
