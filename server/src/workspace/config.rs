//! `hotsave.toml`: what a project says about itself, and what is wrong with it.
//!
//! Every key is optional. The types here are the one source of the published JSON schema (`docs/hotsave.schema.json`),
//! of the check for unknown keys, and of the configuration reference's tables. Nothing here touches a disk; an invalid
//! file yields problems and no configuration, so that the caller can keep the last valid one in force.

use std::{path::Path, sync::Arc, time::Duration};

use hotsave_engine::{
    problem::{Place, Problem, Severity},
    settle::{Window, Windows},
    text::SourceText,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Facts about the project.
    pub project: Project,
    /// How long a burst of changes is waited for.
    pub settle: Settle,
    /// Lua modules and the host they run in.
    pub lua: Lua,
}

/// `[project]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Project {
    /// Name shown in the editor; the folder's name by default.
    pub name: Option<String>,
}

/// `[settle]`: windows in milliseconds. `0` means 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Settle {
    /// Quiet time after a save in the editor.
    pub save_ms: u32,
    /// Longest wait after the first save.
    pub save_max_ms: u32,
    /// Quiet time after a change on disk.
    pub watch_ms: u32,
    /// Longest wait after the first change on disk.
    pub watch_max_ms: u32,
    /// Quiet time while a mass of files changes or a version-control lock is held.
    pub bulk_ms: u32,
    /// Longest wait in that case.
    pub bulk_max_ms: u32,
}

impl Default for Settle {
    fn default() -> Self {
        Self {
            save_ms: 20,
            save_max_ms: 200,
            watch_ms: 50,
            watch_max_ms: 500,
            bulk_ms: 250,
            bulk_max_ms: 5000,
        }
    }
}

impl Settle {
    /// The same as windows of the engine.
    #[must_use]
    pub fn windows(&self) -> Windows {
        let window = |quiet: u32, limit: u32| Window {
            quiet: Duration::from_millis(quiet.into()),
            limit: Duration::from_millis(limit.into()),
        };
        Windows {
            save: window(self.save_ms, self.save_max_ms),
            watch: window(self.watch_ms, self.watch_max_ms),
            bulk: window(self.bulk_ms, self.bulk_max_ms),
        }
    }
}

/// `[lua]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Lua {
    /// Where modules run.
    pub host: HostChoice,
    /// The Lua the project is written in.
    pub dialect: DialectChoice,
    /// Module templates such as `src/?.lua`, relative to this file; by default `?.lua` and `?/init.lua` here and under
    /// `src`, `lib` and `lua`.
    pub path: Vec<String>,
    /// Programs that are run when the host starts, relative to this file.
    pub entry: Vec<String>,
    /// Globs of files that are never looked at, as in `.gitignore`.
    pub ignore: Vec<String>,
    /// What is loaded into the host.
    pub load: Load,
    /// What makes a module reload.
    pub trigger: Trigger,
    /// More functions that load modules by name.
    pub loaders: Vec<String>,
    /// Time a reload may take before it is stopped, in milliseconds; 20 more for each module over ten.
    #[schemars(range(min = 1))]
    pub deadline_ms: u32,
    /// Memory the worker may use, in MiB.
    #[schemars(range(min = 16))]
    pub memory_mb: u32,
    /// What the worker's modules may do beyond computing and writing below the project.
    pub allow: Vec<Allow>,
}

impl Default for Lua {
    fn default() -> Self {
        Self {
            host: HostChoice::Auto,
            dialect: DialectChoice::Auto,
            path: Vec::new(),
            entry: Vec::new(),
            ignore: Vec::new(),
            load: Load::Saved,
            trigger: Trigger::Save,
            loaders: vec!["require".to_owned()],
            deadline_ms: 1000,
            memory_mb: 512,
            allow: Vec::new(),
        }
    }
}

/// `lua.host`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostChoice {
    /// The worker, if it speaks the dialect.
    Auto,
    /// A process of hotsave's own with Lua 5.4.
    Worker,
    /// Nothing is run: syntax and graph only.
    None,
}

/// `lua.dialect`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum DialectChoice {
    /// 5.4, the worker's.
    #[serde(rename = "auto")]
    Auto,
    /// Lua 5.1.
    #[serde(rename = "5.1")]
    Lua51,
    /// LuaJIT 2.1.
    #[serde(rename = "luajit")]
    LuaJit,
    /// Lua 5.2.
    #[serde(rename = "5.2")]
    Lua52,
    /// Lua 5.3.
    #[serde(rename = "5.3")]
    Lua53,
    /// Lua 5.4.
    #[serde(rename = "5.4")]
    Lua54,
}

/// `lua.load`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// The entries, and each module when it is saved.
    Saved,
    /// The entries and what they require.
    Entry,
    /// Every module.
    All,
}

/// `lua.trigger`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// Saving it.
    Save,
    /// Only commands.
    Manual,
    /// Nothing.
    Off,
}

/// `lua.allow`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Write files outside the project and the temporary folder.
    Write,
    /// `io.popen` and `os.execute`.
    Process,
}

impl Allow {
    /// The word in `hotsave.toml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Process => "process",
        }
    }
}

impl Config {
    /// The part that decides what is executed and with which rights, as a text a person can compare; trust is bound to
    /// its hash (design, section 3).
    #[must_use]
    pub fn commands(&self) -> String {
        let mut lines = vec![format!(
            "host {}",
            match self.lua.host {
                HostChoice::Auto | HostChoice::Worker => "worker",
                HostChoice::None => "none",
            }
        )];
        lines.extend(self.lua.entry.iter().map(|it| format!("entry {it}")));
        let allowed = self.lua.allow.iter();
        lines.extend(allowed.map(|it| format!("allow {}", it.word())));
        lines.join("\n")
    }
}

/// Reads `hotsave.toml`.
///
/// *Errors*: problems of severity error mean that the file has no usable configuration (`None`); unknown keys are
/// warnings, carry `data` `suggestion` where a known key is near, and leave the rest in force.
#[must_use]
pub fn read(path: &Arc<Path>, text: &SourceText) -> (Option<Config>, Vec<Problem>) {
    let problem = |severity, code, span: std::ops::Range<usize>, message: String| Problem {
        place: Place {
            path: Arc::clone(path),
            text: text.clone(),
            span: byte_span(span),
        },
        severity,
        code,
        message,
        related: Vec::new(),
        data: Vec::new(),
    };
    let Some(source) = text.as_str() else {
        let message = "hotsave.toml is not UTF-8".to_owned();
        return (
            None,
            vec![problem(Severity::Error, "config-syntax", 0..0, message)],
        );
    };
    let tree = match DeTable::parse(source) {
        Ok(tree) => tree,
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            return (
                None,
                vec![problem(Severity::Error, "config-syntax", span, message)],
            );
        }
    };
    let mut problems = Vec::new();
    let schema = schema();
    let mut unknown_keys = Vec::new();
    check_keys(tree.get_ref(), &schema, &schema, "", &mut unknown_keys);
    for UnknownKey {
        name,
        span,
        suggestion,
    } in unknown_keys
    {
        let hint = suggestion
            .map(|it| format!("; did you mean `{it}`?"))
            .unwrap_or_default();
        let message = format!("unknown key `{name}`{hint}");
        let mut unknown = problem(Severity::Warning, "config-unknown-key", span, message);
        unknown
            .data
            .extend(suggestion.map(|it| ("suggestion", it.to_owned())));
        problems.push(unknown);
    }
    match toml::from_str::<Config>(source) {
        Ok(config) => {
            problems.extend(check_values(&config).map(|(needle, message)| {
                let start = source.find(needle).unwrap_or(0);
                problem(
                    Severity::Error,
                    "config-value",
                    start..start + needle.len(),
                    message,
                )
            }));
            let is_valid = problems.iter().all(|it| it.severity > Severity::Error);
            (is_valid.then_some(config), problems)
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().collect::<Vec<_>>().join(", ");
            problems.push(problem(Severity::Error, "config-value", span, message));
            (None, problems)
        }
    }
}

/// The JSON schema of `hotsave.toml`, as published.
#[must_use]
pub fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(Config)).unwrap_or_default()
}

/// Values that have the right type and are still wrong: what to point at, and why.
fn check_values(config: &Config) -> impl Iterator<Item = (&'static str, String)> {
    let lua = &config.lua;
    let outside = |paths: &[String]| {
        paths
            .iter()
            .find(|it| {
                Path::new(it).is_absolute() || it.split(['/', '\\']).any(|part| part == "..")
            })
            .cloned()
    };
    [
        (lua.deadline_ms == 0)
            .then(|| ("deadline_ms", "`deadline_ms` must be at least 1".to_owned())),
        (lua.memory_mb < 16).then(|| ("memory_mb", "`memory_mb` must be at least 16".to_owned())),
        outside(&lua.entry).map(|it| {
            (
                "entry",
                format!("`{it}` leaves the project; an entry lies below hotsave.toml"),
            )
        }),
        lua.path.iter().find(|it| !it.contains('?')).map(|it| {
            (
                "path",
                format!("`{it}` has no `?`; a template looks like `src/?.lua`"),
            )
        }),
    ]
    .into_iter()
    .flatten()
}

/// A key that the schema does not have.
struct UnknownKey<'s> {
    name: String,
    /// Bytes of the key.
    span: std::ops::Range<usize>,
    suggestion: Option<&'s str>,
}

/// Walks the document beside its schema and reports each key the schema does not have.
fn check_keys<'s>(
    table: &DeTable<'_>,
    schema: &'s Value,
    root: &'s Value,
    prefix: &str,
    unknown: &mut Vec<UnknownKey<'s>>,
) {
    let Some(properties) = resolve(schema, root)
        .get("properties")
        .and_then(Value::as_object)
    else {
        return;
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let full_name = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        };
        let Some(property) = properties.get(name) else {
            let suggestion = nearest(name, properties.keys().map(String::as_str));
            unknown.push(UnknownKey {
                name: full_name,
                span: key.span(),
                suggestion,
            });
            continue;
        };
        check_value(value, property, root, &full_name, unknown);
    }
}

fn check_value<'s>(
    value: &Spanned<DeValue<'_>>,
    schema: &'s Value,
    root: &'s Value,
    prefix: &str,
    unknown: &mut Vec<UnknownKey<'s>>,
) {
    match value.get_ref() {
        DeValue::Table(table) => check_keys(table, schema, root, prefix, unknown),
        DeValue::Array(items) => {
            let Some(item_schema) = resolve(schema, root).get("items") else {
                return;
            };
            for item in items.iter() {
                check_value(item, item_schema, root, prefix, unknown);
            }
        }
        _ => {}
    }
}

/// Follows one `$ref` into `$defs`.
fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
        return schema;
    };
    root.pointer(reference.trim_start_matches('#'))
        .unwrap_or(schema)
}

/// The known name nearest to `name`, if one is near enough to be meant.
fn nearest<'s>(name: &str, known: impl Iterator<Item = &'s str>) -> Option<&'s str> {
    known
        .map(|it| (strsim::damerau_levenshtein(name, it), it))
        .filter(|(distance, it)| *distance <= it.len().max(name.len()) / 3 + 1)
        .min()
        .map(|(_, it)| it)
}

fn byte_span(span: std::ops::Range<usize>) -> std::ops::Range<u32> {
    let offset = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    offset(span.start)..offset(span.end)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expectation: Expect) {
        let path = Arc::from(Path::new("/p/hotsave.toml"));
        let (config, problems) = read(&path, &SourceText::new(text.as_bytes()));
        let mut lines = vec![if config.is_some() { "valid" } else { "invalid" }.to_owned()];
        lines.extend(problems.iter().map(|it| {
            let span = &it.place.span;
            let what = &text[span.start as usize..span.end as usize];
            format!("{:?} {} at {what:?}: {}", it.severity, it.code, it.message)
        }));
        expectation.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        let path = Arc::from(Path::new("/p/hotsave.toml"));
        let (config, problems) = read(&path, &SourceText::new(*b""));
        assert_eq!((config, problems), (Some(Config::default()), Vec::new()));
    }

    #[test]
    fn a_misspelt_key_is_a_warning_with_the_right_one() {
        check(
            "[lua]\nentri = [\"main.lua\"]\n[setle]\nsave_ms = 1\n",
            expect![[r#"
                valid
                Warning config-unknown-key at "entri": unknown key `lua.entri`; did you mean `entry`?
                Warning config-unknown-key at "setle": unknown key `setle`; did you mean `settle`?"#]],
        );
    }

    #[test]
    fn a_key_unlike_any_other_gets_no_suggestion() {
        check(
            "[lua]\nxylophone = 1\n",
            expect![[r#"
                valid
                Warning config-unknown-key at "xylophone": unknown key `lua.xylophone`"#]],
        );
    }

    #[test]
    fn a_wrong_type_and_an_unknown_word_are_errors_on_the_value() {
        check(
            "[settle]\nsave_ms = \"soon\"\n",
            expect![[r#"
                invalid
                Error config-value at "\"soon\"": invalid type: string "soon", expected u32"#]],
        );
        check(
            "[lua]\nload = \"everything\"\n",
            expect![[r#"
                invalid
                Error config-value at "\"everything\"": unknown variant `everything`, expected one of `saved`, `entry`, `all`"#]],
        );
    }

    #[test]
    fn broken_toml_is_an_error_where_it_breaks() {
        let path = Arc::from(Path::new("/p/hotsave.toml"));
        let (config, problems) = read(&path, &SourceText::new(*b"[lua\nload = 1\n"));
        assert_eq!(config, None);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "config-syntax");
        assert_eq!(
            problems[0]
                .place
                .text
                .line_column(problems[0].place.span.start)
                .0,
            0
        );
    }

    #[test]
    fn an_entry_outside_the_project_is_refused() {
        check(
            "[lua]\nentry = [\"../evil.lua\"]\n",
            expect![[r#"
                invalid
                Error config-value at "entry": `../evil.lua` leaves the project; an entry lies below hotsave.toml"#]],
        );
    }

    #[test]
    fn the_commands_change_with_what_is_executed_and_with_nothing_else() {
        let mut config = Config::default();
        let before = config.commands();
        config.settle.save_ms = 0;
        config.lua.load = Load::All;
        assert_eq!(config.commands(), before);
        config.lua.entry.push("main.lua".into());
        assert_ne!(config.commands(), before);
    }
}
