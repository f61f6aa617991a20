//! Client settings: the section `hotsave`, read key by key so that one bad value costs only itself.
//!
//! Asks nobody; see `handlers::configuration` for that.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::workspace::settings::Settings;

/// Keys that clients use for themselves, and the one that only `initializationOptions` has.
const OF_THE_CLIENT: &[&str] = &[
    "inlineResult",
    "tint",
    "preview",
    "server",
    "trust",
    "trace",
];

/// The settings in `section`, and one line for each key that is unknown or has a value that is not allowed.
pub(super) fn read(section: &Value) -> (Settings, Vec<String>) {
    let mut settings = Settings::default();
    let mut remarks = Vec::new();
    for (key, value) in section.as_object().into_iter().flatten() {
        let is_good = match key.as_str() {
            _ if value.is_null() => true,
            "reloadOn" => set(&mut settings.reload_on, value),
            "watcher" => set(&mut settings.watcher, value),
            "notify" => set(&mut settings.notify, value),
            "codeLens" => set(&mut settings.code_lens, value),
            "log" => set(&mut settings.log, value),
            it if OF_THE_CLIENT.contains(&it) => true,
            _ => {
                remarks.push(format!("unknown setting hotsave.{key}"));
                continue;
            }
        };
        if !is_good {
            remarks.push(format!(
                "setting hotsave.{key} cannot be {value}; its default is used"
            ));
        }
    }
    (settings, remarks)
}

fn set<T: DeserializeOwned>(place: &mut T, value: &Value) -> bool {
    match T::deserialize(value) {
        Ok(it) => *place = it,
        Err(_) => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workspace::settings::{Notify, ReloadOn, Watcher};

    #[test]
    fn each_key_is_read_for_itself() {
        let section = json!({
            "reloadOn": "manualSave", "watcher": "nobody", "notify": null, "codeLens": false,
            "log": { "level": "debug" }, "preview": { "where": "beside" }, "colour": 1,
        });
        let (settings, remarks) = read(&section);
        assert_eq!(
            (settings.reload_on, settings.watcher),
            (ReloadOn::ManualSave, Watcher::Auto)
        );
        assert_eq!(
            (settings.notify, settings.code_lens),
            (Notify::Failures, false)
        );
        assert_eq!(settings.log.level.as_deref(), Some("debug"));
        assert_eq!(remarks.len(), 2, "{remarks:?}");
        assert!(remarks.iter().any(|it| it.contains("hotsave.colour")));
        assert!(
            remarks
                .iter()
                .any(|it| it.contains("hotsave.watcher cannot be \"nobody\""))
        );
    }

    #[test]
    fn no_section_is_the_defaults() {
        for section in [json!(null), json!([]), json!({})] {
            assert_eq!(read(&section), (Settings::default(), Vec::new()));
        }
    }
}
