//! Big Lua projects from a fixed random stream, shaped like real ones.
//!
//! Must stay true: the same size gives the same project, byte for byte, on every machine.

use std::fmt::Write;

use crate::fixture::Project;

/// How big and how tangled.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of modules.
    pub n_modules: usize,
    /// Number of hubs that many others require.
    pub n_hubs: usize,
    /// How many modules require the first hub at load.
    pub n_hub_dependents: usize,
    /// Length of the one require cycle.
    pub cycle: usize,
    /// How many modules depend on `fifty` when it changes, itself included.
    pub fifty: usize,
}

impl Shape {
    /// The shape of a project of `n_modules`: median two requires, a few hubs, one cycle of 13.
    #[must_use]
    pub fn of(n_modules: usize) -> Self {
        Self {
            n_modules,
            n_hubs: (n_modules / 250).clamp(1, 20),
            n_hub_dependents: (n_modules / 4).min(500),
            cycle: 13.min(n_modules / 4),
            fifty: 50.min(n_modules / 2),
        }
    }
}

/// The names and texts of a generated project.
pub struct Generated {
    /// Module names with their texts, in an order in which each follows what it requires (the cycle excepted).
    pub modules: Vec<(String, String)>,
    /// A module nobody requires.
    pub leaf: String,
    /// A module whose `scale` is read at load by the modules in `affected`.
    pub base: String,
    /// `base` and everything that runs again with it.
    pub affected: Vec<String>,
}

/// xorshift64*: small, fixed, good enough to draw graphs.
struct Stream(u64);

impl Stream {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(word).unwrap() % limit.max(1)
    }
}

/// The file of a module name.
#[must_use]
pub fn file(name: &str) -> String {
    format!("{}.lua", name.replace('.', "/"))
}

/// Draws a project of that shape.
#[must_use]
pub fn generate(shape: Shape) -> Generated {
    let mut stream = Stream(0x9E37_79B9_7F4A_7C15);
    let name = |index: usize| format!("m{:02}.unit_{index:05}", index % 100);
    let n_plain = shape.n_modules - shape.fifty;
    let mut modules = Vec::with_capacity(shape.n_modules);
    for index in 0..n_plain {
        let mut requires: Vec<String> = Vec::new();
        let in_cycle = (shape.n_hubs..shape.n_hubs + shape.cycle).contains(&index);
        if in_cycle {
            requires.push(name(
                shape.n_hubs + (index + 1 - shape.n_hubs) % shape.cycle,
            ));
        } else if index > shape.n_hubs {
            // 0 to 4 requires, median 2, of what came earlier.
            for _ in 0..[0, 1, 1, 2, 2, 2, 2, 3, 3, 4][stream.below(10)] {
                requires.push(name(stream.below(index)));
            }
            if index < shape.n_hubs + shape.cycle + shape.n_hub_dependents {
                requires.push(name(0));
            }
        }
        requires.sort();
        requires.dedup();
        let text = module(
            &name(index),
            &requires,
            &mut stream,
            if in_cycle { Style::Early } else { Style::Plain },
        );
        modules.push((name(index), text));
    }
    // The last ones hang on one base: a wide fan, so that exactly they are affected by it.
    let base = "fan.base".to_owned();
    let mut affected = vec![base.clone()];
    modules.push((base.clone(), module(&base, &[], &mut stream, Style::Plain)));
    for index in 1..shape.fifty {
        let name = format!("fan.user_{index:02}");
        let text = module(
            &name,
            std::slice::from_ref(&base),
            &mut stream,
            Style::ReadsScale,
        );
        affected.push(name.clone());
        modules.push((name, text));
    }
    let leaf = name(n_plain - 1);
    Generated {
        modules,
        leaf,
        base,
        affected,
    }
}

impl Generated {
    /// Writes it to disk with a configuration that loads everything and does not wait to settle.
    #[must_use]
    pub fn write(&self) -> Project {
        let project = Project::empty();
        project.write(
            "hotsave.toml",
            "[settle]\nsave_ms = 0\n[lua]\nload = \"all\"\ndeadline_ms = 60000\nmemory_mb = 4096\n",
        );
        for (name, text) in &self.modules {
            project.write(&file(name), text);
        }
        project
    }

    /// The text of a module.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let found = self.modules.iter().find(|(module, _)| module == name);
        found.map(|(_, text)| text.as_str()).unwrap()
    }

    /// The text of a module after its `round`th edit: another body, another `scale`.
    #[must_use]
    pub fn edited(&self, name: &str, round: usize) -> String {
        let text =
            self.text(name)
                .replacen("M.scale = 1\n", &format!("M.scale = {}\n", round + 2), 1);
        text.replacen("local bias = 0\n", &format!("local bias = {round}\n"), 1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    /// Gives its table away before it requires, so that a cycle can load.
    Early,
    /// Computes from its dependency while loading, so that it must run again with it.
    ReadsScale,
}

/// A module of about 4.6 KB and ten functions.
fn module(name: &str, requires: &[String], stream: &mut Stream, style: Style) -> String {
    let mut text =
        format!("-- {name}: generated, shaped like a module of a real program.\nlocal M = {{}}\n");
    if style == Style::Early {
        text.push_str("package.loaded[...] = M\n");
    }
    for (index, required) in requires.iter().enumerate() {
        let _ = writeln!(text, "local dep{index} = require(\"{required}\")");
    }
    text.push_str("M.scale = 1\nM.items = {}\nlocal calls = 0\nlocal bias = 0\n");
    if style == Style::ReadsScale {
        text.push_str("M.derived = dep0.scale * 2\n");
    }
    for index in 0..10 {
        let (a, b) = (stream.below(97) + 1, stream.below(89) + 1);
        let call = match requires.len() {
            0 => "0".to_owned(),
            n => format!("(dep{}.scale or 0)", index % n),
        };
        let _ = write!(
            text,
            "\n-- Step {index} of the computation: folds the values into one number and keeps a few for later.\n\
             function M.step_{index}(values, options)\n\
             \x20 calls = calls + 1\n\
             \x20 local total, limit = bias, (options and options.limit) or {a}\n\
             \x20 for position, value in ipairs(values) do\n\
             \x20   if value > limit then\n\
             \x20     total = total + value * {b} + {call}\n\
             \x20   elseif position % 2 == 0 then\n\
             \x20     total = total - value\n\
             \x20     M.items[#M.items + 1] = {{ at = position, value = value, kind = \"skipped\" }}\n\
             \x20   end\n\
             \x20 end\n\
             \x20 return total, calls\n\
             end\n"
        );
    }
    text.push_str("\nfunction M.calls() return calls end\n\nreturn M\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_the_same_every_time_and_has_its_shape() {
        let (one, two) = (generate(Shape::of(1000)), generate(Shape::of(1000)));
        assert_eq!(one.modules, two.modules);
        assert_eq!(one.modules.len(), 1000);
        assert_eq!(one.affected.len(), 50);
        let mean = one
            .modules
            .iter()
            .map(|(_, text)| text.len())
            .sum::<usize>()
            / 1000;
        assert!((4000..5500).contains(&mean), "{mean} bytes a module");
        let hub = format!("require(\"{}\")", one.modules[0].0);
        let n_dependents = one
            .modules
            .iter()
            .filter(|(_, text)| text.contains(&hub))
            .count();
        assert!(n_dependents >= 250, "{n_dependents}");
    }

    #[test]
    fn a_leaf_is_required_by_nobody() {
        let project = generate(Shape::of(100));
        let call = format!("require(\"{}\")", project.leaf);
        assert!(
            project
                .modules
                .iter()
                .all(|(_, text)| !text.contains(&call))
        );
    }

    #[test]
    fn plain_lua_loads_it() {
        let generated = generate(Shape::of(300));
        let project = generated.write();
        let lua = mlua::Lua::new();
        let package: mlua::Table = lua.globals().get("package").unwrap();
        package
            .set("path", format!("{}/?.lua", project.root().display()))
            .unwrap();
        let require: mlua::Function = lua.globals().get("require").unwrap();
        for (name, _) in &generated.modules {
            require.call::<mlua::Table>(name.as_str()).unwrap();
        }
    }

    #[test]
    fn an_edit_changes_the_text() {
        let project = generate(Shape::of(100));
        assert_ne!(
            project.edited(&project.base, 0),
            project.edited(&project.base, 1)
        );
        assert!(project.edited(&project.base, 3).contains("M.scale = 5\n"));
    }
}
