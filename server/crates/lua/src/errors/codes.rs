//! The codes of Lua problems, and how bad each is (Lua specification, 11.2).
//!
//! A code is stable: it names a page of the documentation and is what quick fixes go by.

use hotsave_engine::problem::Severity::{self, Error, Hint, Information, Warning};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $severity:ident;)*) => {
        $($(#[$doc])* pub const $name: &str = $code;)*

        /// Every code with the severity it has if the place that finds it does not say otherwise.
        pub const CODES: &[(&str, Severity)] = &[$(($name, $severity)),*];
    };
}

codes! {
    /// Does not compile.
    SYNTAX = "lua/syntax", Error;
    /// Compiles only in another dialect.
    DIALECT = "lua/dialect", Error;
    /// The top level raised, a yield included.
    LOAD_ERROR = "lua/load-error", Error;
    /// Took longer than the deadline.
    TIMEOUT = "lua/timeout", Error;
    /// Took more memory than allowed.
    MEMORY = "lua/memory", Error;
    /// Recursion without end.
    STACK_OVERFLOW = "lua/stack-overflow", Error;
    /// The running text returns a value, the new one none.
    MISSING_RETURN = "lua/missing-return", Error;
    /// The value became one of another kind.
    KIND_CHANGED = "lua/kind-changed", Error;
    /// A delegation target is absent or not callable.
    MISSING_DELEGATE = "lua/missing-delegate", Error;
    /// `hot.check` said no.
    CHECK_FAILED = "lua/check-failed", Error;
    /// No candidate exists; statically a warning, if optional a hint.
    MODULE_NOT_FOUND = "lua/module-not-found", Error;
    /// Load-edge cycle without an early value; statically an information.
    REQUIRE_CYCLE = "lua/require-cycle", Error;
    /// Failed because a dependency changed.
    DEPENDENT_FAILED = "lua/dependent-failed", Error;
    /// Author code raised; a warning for dispose, disable and unload.
    HOOK_ERROR = "lua/hook-error", Error;
    /// Called a guarded function.
    BLOCKED_CALL = "lua/blocked-call", Error;
    /// The program raised after commit.
    RUNTIME_ERROR = "lua/runtime-error", Error;
    /// Worker or interpreter crashed or was killed.
    HOST_LOST = "lua/host-lost", Error;
    /// Pinned, native, FFI, invalidated.
    NEEDS_RESTART = "lua/needs-restart", Warning;
    /// A failed reload had resumed an older coroutine.
    NOT_UNDONE = "lua/not-undone", Warning;
    /// Rules conflict, patched.
    STATE_CONFLICT = "lua/state-conflict", Hint;
    /// Rule orphan.
    STATE_DROPPED = "lua/state-dropped", Warning;
    /// Orphan with one likely successor.
    STATE_RENAMED = "lua/state-renamed", Information;
    /// Rule retype over live data.
    STATE_TYPE_CHANGED = "lua/state-type-changed", Warning;
    /// One function registered twice.
    DUPLICATE_REGISTRATION = "lua/duplicate-registration", Warning;
    /// A coroutine or frame runs an older generation.
    STILL_RUNNING = "lua/still-running", Information;
    /// An old function is still held.
    STALE_HOLDER = "lua/stale-holder", Information;
    /// C module, not loadable in the worker.
    NATIVE_MODULE = "lua/native-module", Information;
    /// `package.preload` answers, the file is not used.
    PRELOADED = "lua/preloaded", Information;
    /// A new file now answers for this name.
    SHADOWED_MODULE = "lua/shadowed-module", Information;
    /// One file loaded under two names.
    DUPLICATE_MODULE = "lua/duplicate-module", Warning;
    /// Name not known statically.
    DYNAMIC_REQUIRE = "lua/dynamic-require", Hint;
    /// `hot.invalidate` bubbled.
    INVALIDATED = "lua/invalidated", Information;
    /// An app's chunk fits no file or several.
    PATH_MAPPING = "lua/path-mapping", Warning;
}

/// The code of the table that a message carries; one the table does not know counts as [`RUNTIME_ERROR`].
#[must_use]
pub fn known(code: &str) -> (&'static str, Severity) {
    CODES
        .iter()
        .copied()
        .find(|(it, _)| *it == code)
        .unwrap_or((RUNTIME_ERROR, Error))
}
