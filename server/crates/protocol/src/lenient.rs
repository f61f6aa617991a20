//! Lenient reading: `null` is the same as absent, also for lists and flags.

use serde::{Deserialize, Deserializer};

/// For `#[serde(default, deserialize_with = "…")]`: `null` gives the default, as an absent field does.
pub(crate) fn null_is_absent<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// For `skip_serializing_if`: a flag that is not set is left out.
pub(crate) const fn is_unset(flag: &bool) -> bool {
    !*flag
}
