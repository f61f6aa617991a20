//! JSON for the runtime: lines to Lua tables and back.
//!
//! Must stay true: an empty list stays a list (the runtime marks lists by a metatable, as Lua has no empty ones),
//! and no metamethod runs.

use mlua::{Lua, Result, Table, Value};
use serde_json::{Map, Number, Value as Json};

/// Deeper values than any message has are cut off instead of overflowing the stack.
const DEPTH: usize = 120;

/// Turns one line into Lua values; `nil` if it is not JSON.
///
/// *Shape*: `null` is absent, lists start at 1.
pub(super) fn decode(lua: &Lua, line: &[u8]) -> Result<Value> {
    match serde_json::from_slice(line) {
        Ok(json) => to_lua(lua, json),
        Err(_) => Ok(Value::Nil),
    }
}

/// Turns a Lua table into one line without its line end.
///
/// *Shape*: a table with `array` as its metatable or an element at 1 is a list; bytes that are not UTF-8 become U+FFFD.
pub(super) fn encode(value: &Value, array: &Table) -> String {
    from_lua(value, array, 0).to_string()
}

fn to_lua(lua: &Lua, json: Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(it) => Value::Boolean(it),
        Json::Number(it) => match it.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Number(it.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(it) => Value::String(lua.create_string(it)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (idx, item) in items.into_iter().enumerate() {
                table.raw_set(idx + 1, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
        Json::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (key, field) in fields {
                table.raw_set(key, to_lua(lua, field)?)?;
            }
            Value::Table(table)
        }
    })
}

fn from_lua(value: &Value, array: &Table, depth: usize) -> Json {
    match value {
        Value::Boolean(it) => Json::Bool(*it),
        Value::Integer(it) => Json::Number((*it).into()),
        Value::Number(it) => Number::from_f64(*it).map_or(Json::Null, Json::Number),
        Value::String(it) => Json::String(it.to_string_lossy()),
        Value::Table(table) if depth < DEPTH => {
            let n_items = table.raw_len();
            if n_items > 0 || table.metatable().as_ref() == Some(array) {
                let item = |idx| table.raw_get(idx).unwrap_or(Value::Nil);
                return (1..=n_items)
                    .map(|idx| from_lua(&item(idx), array, depth + 1))
                    .collect();
            }
            let mut fields = Map::new();
            for (key, field) in table.pairs::<Value, Value>().flatten() {
                let Value::String(key) = key else { continue };
                fields.insert(key.to_string_lossy(), from_lua(&field, array, depth + 1));
            }
            Json::Object(fields)
        }
        _ => Json::Null,
    }
}
