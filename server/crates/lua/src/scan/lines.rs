//! The line map of an edit that changed no code: where the lines of the running text are now.

use hotsave_engine::text::SourceText;

use crate::tokens::Tokens;

/// From lines of an old text to lines of a new one with the same code hash; 1-based, as Lua counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineMap {
    /// Old line of a token and its new line, ascending, only where the distance changes.
    steps: Vec<(u32, u32)>,
}

impl LineMap {
    /// Pairs the tokens of two texts; `None` if their code differs.
    #[must_use]
    pub fn between(old: &SourceText, new: &SourceText) -> Option<Self> {
        let (before, after) = (Tokens::of(old), Tokens::of(new));
        if before.code_hash() != after.code_hash() {
            return None;
        }
        let mut steps: Vec<(u32, u32)> = Vec::new();
        let line = |text: &SourceText, offset: u32| text.line_column(offset).0 + 1;
        for (from, to) in before.iter().zip(after.iter()) {
            let (from, to) = (line(old, from.start), line(new, to.start));
            let is_known = match steps.last() {
                Some(&(old_line, new_line)) => {
                    from == old_line
                        || i64::from(from) - i64::from(to)
                            == i64::from(old_line) - i64::from(new_line)
                }
                None => from == to,
            };
            if !is_known {
                steps.push((from, to));
            }
        }
        Some(Self { steps })
    }

    /// The new line of what was on `line`; lines between tokens keep their distance to the token before them.
    #[must_use]
    pub fn new_line(&self, line: u32) -> u32 {
        let idx = self.steps.partition_point(|&(old, _)| old <= line);
        let step = idx.checked_sub(1).and_then(|it| self.steps.get(it));
        step.map_or(line, |&(old, new)| new + (line - old))
    }

    /// Whether every line is where it was.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.steps.is_empty()
    }
}
