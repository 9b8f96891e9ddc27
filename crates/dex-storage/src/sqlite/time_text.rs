//! Instants as Dex's driver writes them into SQLite (compat: `storage.md` §7.5).
//!
//! Written: `YYYY-MM-DD HH:MM:SS[.fffffffff]+00:00`. Expiry is compared as text, so the shape is exact. Read: everything the
//! driver reads; what it cannot read is the zero time.

use dex_core::Timestamp;

/// The stored form. Instants outside the years 1 to 9999 become the nearest one inside: longer years would not sort as text.
pub(super) fn encode(at: Timestamp) -> String {
    let text = at.max(Timestamp::ZERO).min(latest()).to_string();
    let mut stored = String::with_capacity(text.len() + 5);
    for c in text.chars() {
        match c {
            'T' => stored.push(' '),
            'Z' => stored.push_str("+00:00"),
            c => stored.push(c),
        }
    }
    stored
}

/// Reads what `encode` or any SQLite client wrote; the zero time if it is no time.
pub(super) fn decode(text: &str) -> Timestamp {
    let text = text.strip_suffix('Z').unwrap_or(text);
    if text.len() > MAX_LEN || !text.is_ascii() {
        return Timestamp::ZERO;
    }
    let (date, rest) = text.split_at_checked(DATE_LEN).unwrap_or((text, ""));
    let (clock, zone) = match rest.strip_prefix([' ', 'T']) {
        Some(time) => match time.find(['+', '-']) {
            Some(at) => time.split_at(at),
            None => (time, "Z"),
        },
        None if rest.is_empty() => ("00:00:00", "Z"),
        None => return Timestamp::ZERO,
    };
    // Only a time without zone may leave the seconds out.
    let seconds = if clock.len() == "hh:mm".len() && zone == "Z" {
        ":00"
    } else {
        ""
    };
    format!("{date}T{clock}{seconds}{zone}")
        .parse()
        .unwrap_or_default()
}

/// Reads an integer: seconds since the epoch, or milliseconds when that would lie beyond the year 33658.
pub(super) fn from_integer(number: i64) -> Timestamp {
    let (secs, nanos) = if number.unsigned_abs() > MAX_SECONDS {
        let millis = u32::try_from(number.rem_euclid(1000)).unwrap_or_default();
        (number.div_euclid(1000), millis * 1_000_000)
    } else {
        (number, 0)
    };
    Timestamp::from_unix(secs, nanos).unwrap_or_default()
}

fn latest() -> Timestamp {
    Timestamp::from_unix(253_402_300_799, 999_999_999).unwrap_or_default()
}

/// `YYYY-MM-DD`
const DATE_LEN: usize = 10;

/// Longer than any time text, short enough to reject rubbish before looking at it.
const MAX_LEN: usize = 64;

const MAX_SECONDS: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(secs: i64, nanos: u32) -> Timestamp {
        Timestamp::from_unix(secs, nanos).unwrap()
    }

    #[test]
    fn times_match_dex_vectors() {
        for (time, text) in [
            (
                at(1_786_017_600, 120_000_000),
                "2026-08-06 12:00:00.12+00:00",
            ),
            (at(1_786_017_600, 0), "2026-08-06 12:00:00+00:00"),
            (Timestamp::ZERO, "0001-01-01 00:00:00+00:00"),
        ] {
            assert_eq!(encode(time), text);
            assert_eq!(decode(text), time);
        }
    }

    #[test]
    fn every_shape_of_the_driver_is_read() {
        let whole = at(1_786_017_600, 0);
        for (text, time) in [
            ("2026-08-06 14:00:00+02:00", whole),
            (
                "2026-08-06T14:00:00.5+02:00",
                at(1_786_017_600, 500_000_000),
            ),
            ("2026-08-06 12:00:00", whole),
            ("2026-08-06 12:00:00Z", whole),
            ("2026-08-06T12:00:00.000000001", at(1_786_017_600, 1)),
            ("2026-08-06 12:00", whole),
            ("2026-08-06T12:00Z", whole),
            ("2026-08-06", at(1_785_974_400, 0)),
            ("1970-01-01 00:00:00", at(0, 0)),
        ] {
            assert_eq!(decode(text), time, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_the_zero_time() {
        for text in [
            "",
            "Z",
            "0001-01-01 00:00:00 UTC",
            "2026-13-01",
            "2026-08-06x",
            "2026-08-06 12",
            "2026-08-06 12:00+02:00",
            "never",
            "２０２６-08-06",
        ] {
            assert_eq!(decode(text), Timestamp::ZERO, "{text}");
        }
    }

    #[test]
    fn integers_are_seconds_or_milliseconds() {
        assert_eq!(from_integer(1_786_017_600), at(1_786_017_600, 0));
        assert_eq!(
            from_integer(1_786_017_600_120),
            at(1_786_017_600, 120_000_000)
        );
        assert_eq!(from_integer(i64::MAX), Timestamp::ZERO);
    }

    #[test]
    fn instants_beyond_four_digit_years_are_cut() {
        let far = Timestamp::ZERO.saturating_add(Duration::MAX);
        assert_eq!(encode(far), "9999-12-31 23:59:59.999999999+00:00");
        let before = at(-100_000_000_000, 0);
        assert_eq!(encode(before), "0001-01-01 00:00:00+00:00");
    }

    proptest! {
        #[test]
        fn times_round_trip(secs in -62_135_596_800_i64..253_402_300_799, nanos in 0_u32..1_000_000_000) {
            prop_assert_eq!(decode(&encode(at(secs, nanos))), at(secs, nanos));
        }

        #[test]
        fn texts_sort_as_the_instants_do(a in (1_786_017_600_i64..1_786_017_603, 0_u32..1_000_000_000), b in (1_786_017_600_i64..1_786_017_603, 0_u32..1_000_000_000)) {
            let (a, b) = (at(a.0, a.1), at(b.0, b.1));
            prop_assert_eq!(encode(a).cmp(&encode(b)), a.cmp(&b));
        }

        #[test]
        fn no_text_panics_the_reader(text in ".*", number: i64) {
            let _ = (decode(&text), from_integer(number));
        }
    }
}
