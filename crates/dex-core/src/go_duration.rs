//! Durations in Go's syntax, as the configuration file writes them: `24h`, `1h30m`, `1.5h`, `0`.

use std::time::Duration;

use crate::go_quote::quote;

/// The text is not a duration, or not one that can be used. The messages are Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDuration {
    /// Not the syntax, or too large for 64-bit nanoseconds.
    #[error("time: invalid duration {}", quote(.0))]
    Syntax(String),
    /// A number without unit.
    #[error("time: missing unit in duration {}", quote(.0))]
    MissingUnit(String),
    /// A unit that does not exist.
    #[error("time: unknown unit {} in duration {}", quote(.unit), quote(.text))]
    UnknownUnit {
        /// The whole text.
        text: String,
        /// The part that should have been a unit.
        unit: String,
    },
    /// Below zero, where only zero and more make sense.
    #[error("time: negative duration {}", quote(.0))]
    Negative(String),
}

/// Parses a duration of zero or more.
///
/// # Errors
/// What [`parse_nanos`] answers, and [`InvalidDuration::Negative`].
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    u64::try_from(parse_nanos(text)?)
        .map(Duration::from_nanos)
        .map_err(|_| InvalidDuration::Negative(text.to_owned()))
}

/// Parses a duration, possibly negative, into nanoseconds.
///
/// # Errors
/// When the text is not a sign, then `0` or a sequence of decimal numbers each with one of the units `ns us µs ms s m h`, or
/// exceeds 64-bit nanoseconds (about 292 years).
pub fn parse_nanos(text: &str) -> Result<i64, InvalidDuration> {
    let syntax = || InvalidDuration::Syntax(text.to_owned());
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(syntax());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (whole, after_whole) = take_digits(rest);
        let (fraction, after_number) = match after_whole.strip_prefix('.') {
            Some(after_point) => take_digits(after_point),
            None => ("", after_whole),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(syntax());
        }
        let unit_end = after_number
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after_number.len());
        let (unit, remaining) = after_number.split_at(unit_end);
        if unit.is_empty() {
            return Err(InvalidDuration::MissingUnit(text.to_owned()));
        }
        let scale = unit_nanos(unit).ok_or_else(|| InvalidDuration::UnknownUnit {
            text: text.to_owned(),
            unit: unit.to_owned(),
        })?;
        let nanos = scaled(whole, fraction, scale).ok_or_else(syntax)?;
        total = total.checked_add(nanos).ok_or_else(syntax)?;
        rest = remaining;
    }
    // The most negative value has no positive counterpart.
    if negative {
        0_i64.checked_sub_unsigned(total).ok_or_else(syntax)
    } else {
        i64::try_from(total).map_err(|_| syntax())
    }
}

/// A duration as Go prints it: `24h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let (scale, unit) = match nanos {
        0 => return "0s".to_owned(),
        1..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => return format_seconds(duration),
    };
    format!("{}{unit}", decimal(nanos / scale, nanos % scale, scale))
}

fn format_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let tail = decimal(
        u128::from(seconds % 60),
        u128::from(duration.subsec_nanos()),
        1_000_000_000,
    );
    if hours > 0 {
        format!("{hours}h{minutes}m{tail}s")
    } else if minutes > 0 {
        format!("{minutes}m{tail}s")
    } else {
        format!("{tail}s")
    }
}

/// `whole.fraction` without trailing zeros, where `fraction` counts parts of `scale` (a power of ten).
fn decimal(whole: u128, fraction: u128, scale: u128) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    let width = usize::try_from(scale.ilog10()).unwrap_or_default();
    format!(
        "{whole}.{}",
        format!("{fraction:0width$}").trim_end_matches('0')
    )
}

fn take_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `whole.fraction` units of `scale` nanoseconds, rounded down; `None` beyond 64 bits.
fn scaled(whole: &str, fraction: &str, scale: u64) -> Option<u64> {
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // Digits past the eighteenth are worth less than a nanosecond of an hour.
    let significant = fraction.get(..18).unwrap_or(fraction);
    let part = if significant.is_empty() {
        0
    } else {
        let digits: u128 = significant.parse().ok()?;
        let divisor = 10_u128.pow(u32::try_from(significant.len()).ok()?);
        u64::try_from(digits * u128::from(scale) / divisor).ok()?
    };
    let nanos = whole.checked_mul(scale)?.checked_add(part)?;
    (nanos <= 1 << 63).then_some(nanos)
}

fn unit_nanos(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_gos_syntax_parse() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("24h", 86_400_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("+5m", 300_000_000_000),
            ("-90s", -90_000_000_000),
            ("3us", 3_000),
            ("3µs", 3_000),
            ("3μs", 3_000),
            ("10ms20ns", 10_000_020),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
        ] {
            assert_eq!(parse_nanos(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_in_gos_words() {
        for (text, message) in [
            ("", r#"time: invalid duration """#),
            ("1d", r#"time: unknown unit "d" in duration "1d""#),
            ("10", r#"time: missing unit in duration "10""#),
            (" 1s", r#"time: invalid duration " 1s""#),
            ("1s ", r#"time: unknown unit "s " in duration "1s ""#),
            ("-", r#"time: invalid duration "-""#),
            (".s", r#"time: invalid duration ".s""#),
            ("1h-5m", r#"time: unknown unit "h-" in duration "1h-5m""#),
            (
                "9223372036854775808ns",
                r#"time: invalid duration "9223372036854775808ns""#,
            ),
            ("3000000h", r#"time: invalid duration "3000000h""#),
        ] {
            assert_eq!(parse_nanos(text).unwrap_err().to_string(), message);
        }
        assert_eq!(
            parse("-1s").unwrap_err().to_string(),
            r#"time: negative duration "-1s""#
        );
    }

    #[test]
    fn durations_print_as_in_go() {
        for (duration, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_hours(24), "24h0m0s"),
            (Duration::from_secs(90), "1m30s"),
            (Duration::from_millis(1_500), "1.5s"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_nanos(1_100), "1.1µs"),
            (Duration::from_nanos(7), "7ns"),
        ] {
            assert_eq!(format(duration), text);
        }
    }

    proptest! {
        #[test]
        fn printed_durations_parse_back(nanos in 0..=i64::MAX.unsigned_abs()) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics_the_parser(text in "[-+0-9.nuµmsh ]{0,40}|.*") {
            let _ = parse(&text);
        }
    }
}
