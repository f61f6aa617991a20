//! Durations on the wire: milliseconds with up to three decimals.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration, kept in whole microseconds; on the wire a number of milliseconds such as `3`, `3.1` or `0.042`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ms {
    micros: u64,
}

impl Ms {
    /// The duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_micros(self.micros)
    }
}

impl From<Duration> for Ms {
    /// Rounds down to microseconds.
    fn from(duration: Duration) -> Self {
        Self {
            micros: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

impl Serialize for Ms {
    /// Whole milliseconds are written without a point, as every other language writes them.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros.is_multiple_of(1000) {
            serializer.serialize_u64(self.micros / 1000)
        } else {
            serializer.serialize_f64(self.micros as f64 / 1e3)
        }
    }
}

impl<'de> Deserialize<'de> for Ms {
    /// Rounds to microseconds; a negative number is an error.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ms = f64::deserialize(deserializer)?;
        if ms < 0.0 {
            return Err(de::Error::custom("a duration cannot be negative"));
        }
        Ok(Self {
            micros: (ms * 1e3).round() as u64,
        })
    }
}
