//! The Lua state of the worker and the `host` table that the runtime gets.
//!
//! The only place of the worker that needs `unsafe`: the runtime works with `debug`, which mlua counts as unsafe. The
//! project gets three harmless functions of it. Must stay true: no C library can be loaded.

use std::{cell::RefCell, env, path::Path, process, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mlua::{Error, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value};

use super::{Options, confine::may_write, json, pipe};
use crate::runtime;

/// The least memory limit that leaves room for the standard library and the runtime.
pub const MEMORY_FLOOR_MB: u32 = 16;

/// Runs the runtime's message loop to its end.
pub(super) fn serve(options: &Options) -> Result<()> {
    let lua = state();
    let host = host(&lua, options)?;
    confine(&lua, options, &host)?;
    lua.load(runtime::source())
        .set_name(runtime::CHUNK)
        .call(host)
}

#[expect(
    unsafe_code,
    reason = "mlua counts `debug` as unsafe; the runtime cannot work without it"
)]
fn state() -> Lua {
    // Rust functions given to Lua here never panic, and plain `pcall` keeps error values as they are.
    let options = LuaOptions::new().catch_rust_panics(false);
    // SAFETY: the state is used from one thread; no C module can be loaded (see `confine`) and only text chunks
    // compile; `debug` stays with the runtime, which neither writes to the registry's own slots nor to C upvalues.
    unsafe { Lua::unsafe_new_with(StdLib::ALL, options) }
}

/// What the runtime may ask of its host (`runtime/main.lua` lists it).
fn host(lua: &Lua, options: &Options) -> Result<Table> {
    let host = lua.create_table()?;
    let array = lua.create_table()?;
    let inbound = pipe::lines().map_err(Error::external)?;
    let outbound = RefCell::new(pipe::Outbound::take_stdout().map_err(Error::external)?);
    let start = Instant::now();

    host.set(
        "read",
        lua.create_function(move |lua, ()| {
            inbound
                .recv()
                .ok()
                .map(|it| lua.create_string(it))
                .transpose()
        })?,
    )?;
    // A closed pipe means that the server is gone; stdin ends at the same moment and with it the loop.
    host.set(
        "write",
        lua.create_function(move |_, line: LuaString| {
            Ok(outbound.borrow_mut().send(&line.as_bytes()).is_ok())
        })?,
    )?;
    host.set(
        "decode",
        lua.create_function(|lua, line: LuaString| json::decode(lua, &line.as_bytes()))?,
    )?;
    host.set(
        "encode",
        lua.create_function({
            let array = array.clone();
            move |_, value: Value| Ok(json::encode(&value, &array))
        })?,
    )?;
    host.set(
        "to64",
        lua.create_function(|_, bytes: LuaString| Ok(STANDARD.encode(bytes.as_bytes())))?,
    )?;
    host.set(
        "from64",
        lua.create_function(|lua, text: LuaString| {
            STANDARD
                .decode(text.as_bytes())
                .ok()
                .map(|it| lua.create_string(it))
                .transpose()
        })?,
    )?;
    host.set(
        "clock",
        lua.create_function(move |_, ()| Ok(start.elapsed().as_secs_f64()))?,
    )?;
    host.set(
        "limit_memory",
        lua.create_function(|lua, bytes: usize| lua.set_memory_limit(bytes).map(|_| ()))?,
    )?;
    let (root, temporary) = (options.root.clone(), env::temp_dir());
    host.set(
        "may_write",
        lua.create_function(move |_, path: LuaString| {
            let path = path.to_string_lossy();
            Ok(may_write([&root, &temporary], Path::new(&*path)))
        })?,
    )?;
    host.set("allow_write", options.allow_write)?;
    host.set("allow_process", options.allow_process)?;
    host.set("array", array)?;
    host.set("kind", "worker")?;
    host.set("name", "worker")?;
    host.set("pid", process::id())?;
    host.set("instance", format!("{:016x}", instance()))?;
    host.set("root", options.root.to_string_lossy())?;
    let memory_mb = if options.memory_mb == 0 {
        0
    } else {
        options.memory_mb.max(MEMORY_FLOOR_MB)
    };
    host.set("memory_bytes", u64::from(memory_mb) << 20)?;
    Ok(host)
}

/// Takes away what could leave the process or harm it; the runtime keeps the real `debug`.
fn confine(lua: &Lua, options: &Options, host: &Table) -> Result<()> {
    let globals = lua.globals();
    let package: Table = globals.get("package")?;
    package.set("path", options.path.as_str())?;
    package.set("cpath", "")?;
    package.set("loadlib", Value::Nil)?;
    let searchers: Table = package.get("searchers")?;
    while searchers.raw_len() > 2 {
        searchers.raw_remove(searchers.raw_len())?;
    }

    let debug: Table = globals.get("debug")?;
    let harmless = lua.create_table()?;
    for name in ["traceback", "getinfo", "gethook"] {
        harmless.set(name, debug.get::<Value>(name)?)?;
    }
    package
        .get::<Table>("loaded")?
        .set("debug", harmless.clone())?;
    globals.set("debug", harmless)?;
    host.set("debug", debug)
}

/// A number that tells this process from any other of the same project.
fn instance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(process::id())
}
