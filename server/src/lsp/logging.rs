//! The log: one line per event, to the client's log, to stderr and to a file.
//!
//! Never touches stdout, which carries frames. Never logs what tower-lsp would: its traces hold document text. Must stay
//! true: sending a line logs nothing, or the log would feed itself.

use std::{
    fmt::{self, Write as _},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt as _,
};

use super::outbound::Outbound;
use crate::workspace::{output::Level, settings::LogSettings};

/// Variable with a level or `target=level,…`; it wins over the setting.
const VARIABLE: &str = "HOTSAVE_LOG";
/// Bytes of a log file before the next one is begun.
const MAX_FILE_BYTES: u64 = 5 * 1024 * 1024;
/// Older files that are kept.
const N_OLD_FILES: u32 = 2;
/// Clients that show `window/logMessage` to people; others get the lines on stderr.
const SHOWS_LOG: &[&str] = &[
    "Visual Studio Code",
    "Code - OSS",
    "VSCodium",
    "Cursor",
    "Windsurf",
    "Zed",
    "Neovim",
];

static LOG: OnceLock<Log> = OnceLock::new();

/// The one log of the process.
struct Log {
    filter: reload::Handle<Targets, Registry>,
    is_fixed: bool,
    began: Instant,
    client: Mutex<Option<Outbound>>,
    client_shows: AtomicBool,
    file: Mutex<Option<LogFile>>,
}

/// Sets up the log of the process; called once, before anything is logged. Without it nothing is logged.
pub fn install() {
    let variable = std::env::var(VARIABLE).ok();
    let given = variable.as_deref().map(Targets::from_str);
    let is_fixed = matches!(given, Some(Ok(_)));
    let targets = match &given {
        Some(Ok(targets)) => targets.clone(),
        _ => Targets::new().with_default(LevelFilter::INFO),
    };
    let (filter, handle) = reload::Layer::new(without_text(targets));
    if tracing_subscriber::registry()
        .with(Lines.with_filter(filter))
        .try_init()
        .is_err()
    {
        return;
    }
    let log = Log {
        filter: handle,
        is_fixed,
        began: Instant::now(),
        client: Mutex::default(),
        client_shows: AtomicBool::new(false),
        file: Mutex::default(),
    };
    let _ = LOG.set(log);
    log_panics();
    if let Some(Err(error)) = given {
        tracing::warn!("{VARIABLE} is not understood: {error}");
    }
}

/// Whatever is asked for: warnings only of tower-lsp, whose finer lines hold whole messages.
fn without_text(targets: Targets) -> Targets {
    targets
        .with_target("tower_lsp", LevelFilter::WARN)
        .with_target("tower_lsp::codec", LevelFilter::WARN)
}

/// Level and file of the settings, as far as the environment does not say otherwise.
pub(super) fn configure(settings: &LogSettings) {
    let Some(log) = LOG.get() else { return };
    if !log.is_fixed {
        let level = settings.level.as_deref().map(LevelFilter::from_str);
        let level = level.and_then(Result::ok).unwrap_or(LevelFilter::INFO);
        let _ = log
            .filter
            .reload(without_text(Targets::new().with_default(level)));
    }
    let path = settings.file.as_deref().map(Path::new);
    let mut file = locked(&log.file);
    if file.as_ref().map(|it| &*it.path) != path {
        *file = path.and_then(|it| LogFile::open(it.to_owned()).ok());
        let is_lost = path.is_some() && file.is_none();
        drop(file);
        if is_lost {
            tracing::warn!("cannot write the log file of the settings");
        }
    }
}

/// The connection whose client may get the lines.
pub(super) fn attach(outbound: &Outbound) {
    if let Some(log) = LOG.get() {
        *locked(&log.client) = Some(outbound.clone());
    }
}

/// The connection is over; lines go to stderr.
pub(super) fn detach() {
    if let Some(log) = LOG.get() {
        *locked(&log.client) = None;
    }
}

/// Who the client is decides whether it gets the lines.
pub(super) fn client_is(name: &str) {
    if let Some(log) = LOG.get() {
        let shows = SHOWS_LOG.iter().any(|it| name.starts_with(it));
        log.client_shows.store(shows, Ordering::Relaxed);
    }
}

impl Log {
    /// Clients put their own time beside a line; elsewhere it begins with the seconds since the start.
    fn write(&self, level: Level, line: &str) {
        let timed = format!("{:9.3} {line}", self.began.elapsed().as_secs_f64());
        if let Some(file) = &mut *locked(&self.file) {
            file.write(&timed);
        }
        let client = locked(&self.client)
            .clone()
            .filter(|_| self.client_shows.load(Ordering::Relaxed));
        match client {
            Some(client) => client.log(level, line.to_owned()),
            // A closed stderr is nobody's error.
            None => {
                let _ = writeln!(io::stderr(), "{timed}");
            }
        }
    }
}

/// Writes panics where no lock and no client is needed; who catches one logs it as well.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let line = format!("panic in thread {}: {panic}", thread.name().unwrap_or("?"));
        let _ = writeln!(io::stderr(), "{line}");
        let log = LOG.get().map(|it| it.file.try_lock());
        if let Some(Ok(mut file)) = log
            && let Some(file) = &mut *file
        {
            file.write(&line);
        }
    }));
}

/// The layer that turns events into lines.
struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(log) = LOG.get() else { return };
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let mut line = Line(format!(
            "{} {}:",
            event.metadata().level(),
            event.metadata().target()
        ));
        event.record(&mut line);
        log.write(level, &line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// A file that starts anew when it is full, with a few older ones beside it.
struct LogFile {
    path: PathBuf,
    file: File,
    n_bytes: u64,
}

impl LogFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let n_bytes = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            n_bytes,
        })
    }

    fn write(&mut self, line: &str) {
        if self.n_bytes > MAX_FILE_BYTES {
            self.rotate();
        }
        // A full disk must not end anything.
        if writeln!(self.file, "{line}").is_ok() {
            self.n_bytes += line.len() as u64 + 1;
        }
    }

    fn rotate(&mut self) {
        for age in (0..N_OLD_FILES).rev() {
            let _ = fs::rename(self.aged(age), self.aged(age + 1));
        }
        if let Ok(fresh) = Self::open(self.path.clone()) {
            *self = fresh;
        }
    }

    fn aged(&self, age: u32) -> PathBuf {
        match age {
            0 => self.path.clone(),
            age => {
                let mut name = self.path.clone().into_os_string();
                name.push(format!(".{age}"));
                name.into()
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_two_old_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hotsave.log");
        let mut file = LogFile::open(path.clone()).unwrap();
        for number in 0..4 {
            file.n_bytes = MAX_FILE_BYTES + 1;
            file.write(&number.to_string());
        }
        let read = |age| fs::read_to_string(file.aged(age)).unwrap();
        assert_eq!([read(0), read(1), read(2)], ["3\n", "2\n", "1\n"]);
        assert!(!file.aged(3).exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn tower_lsp_never_logs_messages() {
        for asked in ["trace", "tower_lsp=trace", "tower_lsp::codec=trace,info"] {
            let targets = without_text(Targets::from_str(asked).unwrap());
            assert!(
                !targets.would_enable("tower_lsp::codec", &tracing::Level::TRACE),
                "{asked}"
            );
            assert!(
                !targets.would_enable("tower_lsp::service", &tracing::Level::DEBUG),
                "{asked}"
            );
            assert!(
                targets.would_enable("tower_lsp::transport", &tracing::Level::WARN),
                "{asked}"
            );
        }
    }
}
