//! Instants as every record, token and cookie carries them: UTC, nanosecond precision.
//!
//! Text forms are those of RFC 3339 as Dex writes them (up to nine fractional digits, trailing zeros trimmed, `Z`).
//! The zero value is year 1, which Dex uses for "not set".

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, UTC, with nanosecond precision.
///
/// The default is [`Timestamp::ZERO`], the "not set" of Dex's records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// `0001-01-01T00:00:00Z`, which stands for "not set" in Dex's records.
    pub const ZERO: Self = {
        let Some(date) = NaiveDate::from_ymd_opt(1, 1, 1) else {
            unreachable!()
        };
        let Some(start) = date.and_hms_opt(0, 0, 0) else {
            unreachable!()
        };
        Self(start.and_utc())
    };

    /// The instant `secs` seconds and `nanos` nanoseconds after the Unix epoch; `None` outside the years -262143 to 262142.
    pub fn from_unix(secs: i64, nanos: u32) -> Option<Self> {
        DateTime::from_timestamp(secs, nanos).map(Self)
    }

    /// Whole seconds since the Unix epoch, rounded towards negative infinity, as `exp` and `iat` count.
    pub fn unix_secs(self) -> i64 {
        self.0.timestamp()
    }

    /// Whether this is "not set": year 1, or the Unix epoch (the default of Dex's SQL migrations).
    pub fn is_unset(self) -> bool {
        self == Self::ZERO || (self.0.timestamp() == 0 && self.0.nanosecond() == 0)
    }

    /// This instant moved by `duration` into the future, saturating at the end of the calendar.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|d| self.0.checked_add_signed(d))
            .map_or(Self(DateTime::<Utc>::MAX_UTC), Self)
    }

    /// This instant moved by `duration` into the past, saturating at [`Timestamp::ZERO`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        chrono::Duration::from_std(duration)
            .ok()
            .and_then(|d| self.0.checked_sub_signed(d))
            .map_or(Self::ZERO, |t| Self(t.max(Self::ZERO.0)))
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        (self.0 - earlier.0).to_std().unwrap_or(Duration::ZERO)
    }

    /// The calendar form, for pages and for backends with their own text shape.
    pub fn to_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// From the calendar form, any offset.
    pub fn from_datetime<Z: chrono::TimeZone>(at: &DateTime<Z>) -> Self {
        Self(at.with_timezone(&Utc))
    }

    /// From a calendar date and time without zone, taken as UTC.
    pub fn from_naive(at: NaiveDateTime) -> Self {
        Self(at.and_utc())
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

/// RFC 3339, `Z`, fraction trimmed of trailing zeros.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_rfc3339_opts(SecondsFormat::Nanos, true);
        let Some((whole, fraction)) = text.split_once('.') else {
            return f.write_str(&text);
        };
        match fraction.trim_end_matches('Z').trim_end_matches('0') {
            "" => write!(f, "{whole}Z"),
            digits => write!(f, "{whole}.{digits}Z"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time")]
pub struct InvalidTimestamp;

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        DateTime::parse_from_rfc3339(text)
            .map(|at| Self::from_datetime(&at))
            .map_err(|_| InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_trimmed_rfc_3339() {
        for (secs, nanos, text) in [
            (1_786_017_600, 120_000_000, "2026-08-06T12:00:00.12Z"),
            (1_786_017_600, 0, "2026-08-06T12:00:00Z"),
            (1_786_017_600, 1, "2026-08-06T12:00:00.000000001Z"),
        ] {
            assert_eq!(Timestamp::from_unix(secs, nanos).unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn year_one_and_the_epoch_are_unset() {
        assert!(Timestamp::ZERO.is_unset());
        assert!(Timestamp::from_unix(0, 0).unwrap().is_unset());
        assert!(!Timestamp::from_unix(1, 0).unwrap().is_unset());
    }

    proptest! {
        #[test]
        fn text_round_trips(secs in -62_135_596_800_i64..253_402_300_799, nanos in 0_u32..1_000_000_000) {
            let at = Timestamp::from_unix(secs, nanos).unwrap();
            prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        }

        #[test]
        fn no_text_panics_the_parser(text in ".*") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
