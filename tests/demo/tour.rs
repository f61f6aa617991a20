//! The tour: edits a copy of the example by itself and holds the server to what the README promises.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use crate::{
    news::{Board, News},
    session::Session,
};

/// How long a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// An edit, and what must come of it.
struct Step {
    title: &'static str,
    file: &'static str,
    /// Texts that are replaced, each found exactly once in the file.
    edits: &'static [(&'static str, &'static str)],
    outcome: &'static str,
    /// All lines that the program prints.
    printed: &'static [&'static str],
    /// Code and line of the one problem that stands in the file afterwards.
    problem: Option<(&'static str, u64)>,
}

/// What the program does before the first edit.
const START: Step = Step {
    title: "the program starts",
    file: "main.lua",
    edits: &[],
    outcome: "applied",
    printed: &["the shop is open"],
    problem: None,
};

const STEPS: &[Step] = &[
    Step {
        title: "new code in shop.lua: another greeting",
        file: "shop.lua",
        edits: &[("good morning", "good day")],
        outcome: "applied",
        printed: &[
            "the old shop leaves after 0 customers",
            "the new shop takes over, values kept: 0",
            "good day, customer 1: one tea, 3.00",
            "takings so far: 3.00",
        ],
        problem: None,
    },
    Step {
        title: "and another: the count and the takings stay",
        file: "shop.lua",
        edits: &[("good day", "good evening")],
        outcome: "applied",
        printed: &[
            "the old shop leaves after 1 customers",
            "the new shop takes over, values kept: 2",
            "good evening, customer 2: one scone, 4.00",
            "takings so far: 7.00",
        ],
        problem: None,
    },
    Step {
        title: "a new value in tax.lua: the menu computes its prices again, the shop is left alone",
        file: "tax.lua",
        edits: &[("0.25", "0.5")],
        outcome: "applied",
        printed: &["new prices: tea 3.60, scone 4.80"],
        problem: None,
    },
    Step {
        title: "a mistake in shop.lua: the error is shown, nothing runs",
        file: "shop.lua",
        edits: &[("function M.serve()", "function M.serve(")],
        outcome: "rejected",
        printed: &[],
        problem: Some(("lua/syntax", 12)),
    },
    Step {
        title: "mended, with another greeting: the next customer has the next number",
        file: "shop.lua",
        edits: &[
            ("function M.serve(", "function M.serve()"),
            ("good evening", "welcome"),
        ],
        outcome: "applied",
        printed: &[
            "the old shop leaves after 2 customers",
            "the new shop takes over, values kept: 2",
            "welcome, customer 3: one tea, 3.60",
            "takings so far: 10.60",
        ],
        problem: None,
    },
    Step {
        title: "an endless loop in menu.lua: stopped and undone",
        file: "menu.lua",
        edits: &[("return M\n", "while true do end\nreturn M\n")],
        outcome: "rolledBack",
        printed: &[],
        problem: Some(("lua/timeout", 25)),
    },
    Step {
        title: "the loop is gone, and prices have a currency",
        file: "menu.lua",
        edits: &[("while true do end\n", ""), ("%.2f", "%.2f EUR")],
        outcome: "applied",
        printed: &["new prices: tea 3.60 EUR, scone 4.80 EUR"],
        problem: None,
    },
    Step {
        title: "one more customer: nothing was lost on the way",
        file: "shop.lua",
        edits: &[("welcome", "last orders")],
        outcome: "applied",
        printed: &[
            "the old shop leaves after 3 customers",
            "the new shop takes over, values kept: 2",
            "last orders, customer 4: one scone, 4.80 EUR",
            "takings so far: 15.40 EUR",
        ],
        problem: None,
    },
];

/// Plays all steps on a copy of `folder`, and tells each line to `say`.
///
/// *Errors*: the first step that does not give what it promises.
pub(crate) fn play(folder: &Path, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let base = temporary.path().canonicalize()?;
    let (copy, state) = (base.join("counter"), base.join("state"));
    copy_files(folder, &copy).with_context(|| format!("cannot copy {}", folder.display()))?;
    let mut session = Session::open(&copy, &state)?;
    let mut board = Board::new(&copy);
    for step in std::iter::once(&START).chain(STEPS) {
        say(&format!("# {}", step.title));
        step.edit(&copy)?;
        step.wait(&mut session, &mut board, say)
            .with_context(|| format!("step failed: {}", step.title))?;
    }
    session.close()?;
    say(&format!(
        "# the server has ended; {} steps as promised",
        STEPS.len() + 1
    ));
    Ok(())
}

impl Step {
    fn edit(&self, folder: &Path) -> anyhow::Result<()> {
        if self.edits.is_empty() {
            return Ok(());
        }
        let path = folder.join(self.file);
        let mut text = fs::read_to_string(&path)?;
        for (old, new) in self.edits {
            ensure!(
                text.matches(old).count() == 1,
                "`{old}` is not once in {}",
                self.file
            );
            text = text.replacen(old, new, 1);
        }
        fs::write(path, text)?;
        Ok(())
    }

    /// Tells what comes until everything promised has come.
    fn wait(
        &self,
        session: &mut Session,
        board: &mut Board,
        say: &mut dyn FnMut(&str),
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut missing: Vec<&str> = self.printed.to_vec();
        let mut outcome = None;
        loop {
            if outcome.is_some() && missing.is_empty() && self.has_its_problem(board) {
                return Ok(());
            }
            let Some(news) = session.next(Some(deadline))? else {
                bail!(
                    "not within {} s: outcome {outcome:?}, not printed {missing:?}",
                    PATIENCE.as_secs()
                );
            };
            match &news {
                News::Printed(text) => {
                    let idx = missing.iter().position(|it| it == text);
                    missing.remove(idx.with_context(|| format!("the program printed `{text}`"))?);
                }
                News::Finished(finished) => {
                    ensure!(
                        finished.tag == self.outcome,
                        "generation {} {}",
                        finished.generation,
                        finished.tag
                    );
                    outcome = Some(finished.tag.clone());
                }
                News::Problems { .. } | News::Warned(_) => {}
            }
            for line in board.take(news) {
                say(&line);
            }
        }
    }

    fn has_its_problem(&self, board: &Board) -> bool {
        match (self.problem, board.problems(self.file)) {
            (None, []) => true,
            (Some((code, line)), [problem]) => {
                (problem.code.as_str(), problem.line) == (code, line)
            }
            _ => false,
        }
    }
}

/// Copies the files of a folder; folders below it are left out.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    const BEGIN: &str = "<!-- tour -->\n```\n";
    const END: &str = "```\n<!-- end of tour -->";

    /// The tour in the README is what happens, but for the times; `UPDATE_EXPECT=1` writes it anew.
    #[test]
    fn the_readme_shows_the_tour_as_it_is() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let readme = project.join("README.md");
        let text = fs::read_to_string(&readme).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (shown, after) = rest.split_once(END).unwrap();

        let mut told = String::new();
        let mut say = |line: &str| told += &format!("{line}\n");
        play(&project.join("examples/counter"), &mut say).unwrap();

        if steps(shown) != steps(&told) && env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&readme, format!("{before}{BEGIN}{told}{END}{after}")).unwrap();
            return;
        }
        for (shown, told) in steps(shown).iter().zip(steps(&told)) {
            assert_eq!(shown, &told, "UPDATE_EXPECT=1 renews the README");
        }
        assert_eq!(steps(shown).len(), steps(&told).len());
    }

    /// Each step with its lines, without times; sorted, because output of the program and outcomes travel separately.
    fn steps(tour: &str) -> Vec<Vec<String>> {
        let mut steps: Vec<Vec<String>> = Vec::new();
        for line in tour.lines() {
            if line.starts_with('#') || steps.is_empty() {
                steps.push(Vec::new());
            }
            let is_time = |it: &&str| line.starts_with("gen ") && it.ends_with(" ms");
            let words = line.split(" · ").filter(|it| !is_time(it));
            steps
                .last_mut()
                .unwrap()
                .push(words.collect::<Vec<_>>().join(" · "));
        }
        steps.iter_mut().for_each(|it| it.sort());
        steps
    }
}
