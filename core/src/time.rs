//! Stored times and durations, in the forms that people and the API read.
//!
//! A stored [`Time`] has millisecond resolution, `now` has nanoseconds. Deadlines are always computed
//! from stored times, so that a restarted process computes the same ones.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A point in time as status stores it: UTC, whole milliseconds, written as RFC 3339
/// (`2026-03-01T12:00:00.250Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Timestamp);

impl Time {
    /// The stored time for a moment: cut to the millisecond, never rounded up.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        let millis = moment.as_nanosecond().div_euclid(1_000_000);
        Self::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// From milliseconds since the Unix epoch, held within the years that a timestamp can express.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        // Whole seconds: the milliseconds of the very last one are already too many for a timestamp.
        let held = millis.clamp(
            1000 * Timestamp::MIN.as_second() + 1000,
            1000 * Timestamp::MAX.as_second(),
        );
        Self(Timestamp::from_millisecond(held).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// The moment itself, for comparison with `now`.
    #[must_use]
    pub fn moment(self) -> Timestamp {
        self.0
    }

    /// Whether `now` has reached this time. Exactly at it counts as reached.
    #[must_use]
    pub fn reached(self, now: Timestamp) -> bool {
        now >= self.0
    }

    /// This time plus a duration, held within the expressible years.
    #[must_use]
    pub fn plus(self, duration: GoDuration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(duration.as_millis()))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Time) -> GoDuration {
        GoDuration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()).max(0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: Timestamp = text
            .parse()
            .map_err(|error| D::Error::custom(format!("`{text}` is no RFC 3339 time: {error}")))?;
        Ok(Self::at(moment))
    }
}

/// A duration of whole milliseconds, never negative, written the way Go writes one (`1h30m`, `90s`, `250ms`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoDuration(i64);

/// The longest duration that is read, and the longest sum: ten years. More is a typing error.
const LONGEST_MILLIS: i64 = 10 * 365 * 24 * 3_600_000;

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no duration: {problem}; write for example 90s, 15m or 1h30m (units ms, s, m, h)"
)]
pub struct DurationError {
    text: String,
    problem: &'static str,
}

impl GoDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds; a negative number counts as none.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 { 0 } else { millis })
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// From whole minutes.
    #[must_use]
    pub const fn from_mins(minutes: i64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Both together, ten years at most: what is written must be one that can be read again.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(LONGEST_MILLIS))
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let refuse = |problem| DurationError {
            text: crate::text::clean(text, 40),
            problem,
        };
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if text.starts_with('-') {
            return Err(refuse("it is negative"));
        }
        let mut rest = text;
        let mut millis = 0.0_f64;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .ok_or_else(|| refuse("a number has no unit"))?;
            let number: f64 = rest[..digits]
                .parse()
                .map_err(|_| refuse("a unit has no number"))?;
            rest = &rest[digits..];
            let unit_end = rest
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(rest.len());
            millis += number
                * match &rest[..unit_end] {
                    "ms" => 1.0,
                    "s" => 1000.0,
                    "m" => 60_000.0,
                    "h" => 3_600_000.0,
                    _ => return Err(refuse("a unit is unknown")),
                };
            rest = &rest[unit_end..];
        }
        if millis > LONGEST_MILLIS as f64 {
            return Err(refuse("it is longer than ten years"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "held below ten years in milliseconds just above"
        )]
        let whole = millis.round() as i64;
        Ok(Self(whole))
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, rest) = (self.0 / 3_600_000, self.0 % 3_600_000);
        let (minutes, rest) = (rest / 60_000, rest % 60_000);
        let (seconds, millis) = (rest / 1000, rest % 1000);
        if self.0 == 0 {
            return write!(f, "0s");
        }
        for (number, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s"), (millis, "ms")] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    impl JsonSchema for super::Time {
        fn schema_name() -> Cow<'static, str> {
            "Time".into()
        }
        fn inline_schema() -> bool {
            true
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "type": "string", "format": "date-time", "maxLength": 64 })
        }
    }

    impl JsonSchema for super::GoDuration {
        fn schema_name() -> Cow<'static, str> {
            "GoDuration".into()
        }
        fn inline_schema() -> bool {
            true
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "string",
                "maxLength": 32,
                "pattern": super::PATTERN,
            })
        }
    }
}

/// The pattern that a duration follows in the schemas.
pub const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_the_way_go_does() {
        for (text, millis, printed) in [
            ("90s", 90_000, "1m30s"),
            ("15m", 900_000, "15m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("1.5h", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"),
            ("0s", 0, "0s"),
        ] {
            let duration: GoDuration = text.parse().unwrap();
            assert_eq!(duration.as_millis(), millis, "{text}");
            assert_eq!(duration.to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, problem) in [
            ("", "empty"),
            ("-5m", "negative"),
            ("15", "no unit"),
            ("m", "no number"),
            ("5 minutes", "unknown"),
            ("5d", "unknown"),
            ("1000000h", "ten years"),
            ("1..5s", "no number"),
        ] {
            let error = text.parse::<GoDuration>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn a_stored_time_is_cut_to_the_millisecond_and_never_lies_ahead() {
        let moment: Timestamp = "2026-03-01T12:00:00.123999999Z".parse().unwrap();
        let stored = Time::at(moment);
        assert_eq!(stored.to_string(), "2026-03-01T12:00:00.123Z");
        assert!(stored.moment() <= moment);
        let whole = Time::at("2026-03-01T12:00:00Z".parse().unwrap());
        assert_eq!(whole.to_string(), "2026-03-01T12:00:00.000Z");
    }

    #[test]
    fn a_time_beyond_all_years_is_the_last_one_and_not_the_epoch() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let forever = GoDuration::from_secs(i64::MAX);
        assert!(Time::at(now).plus(forever).moment() > now);
        assert!(Time::from_millis(i64::MAX).to_string().starts_with("9999-"));
        assert!(Time::from_millis(i64::MIN).moment() < Timestamp::UNIX_EPOCH);
        assert_eq!(Time::at(Timestamp::MAX), Time::from_millis(i64::MAX));
        assert_eq!(Time::at(Timestamp::MIN), Time::from_millis(i64::MIN));
        let first = 1000 * (Timestamp::MIN.as_second() + 1);
        assert_eq!(Time::from_millis(i64::MIN).as_millis(), first);
    }

    #[test]
    fn a_time_is_reached_exactly_at_it_and_not_a_nanosecond_earlier() {
        let time = Time::from_millis(1_000);
        assert!(time.reached(Timestamp::from_nanosecond(1_000_000_000).unwrap()));
        assert!(!time.reached(Timestamp::from_nanosecond(999_999_999).unwrap()));
    }

    #[test]
    fn a_duration_may_be_exactly_ten_years_long_and_no_sum_is_longer() {
        let longest: GoDuration = format!("{LONGEST_MILLIS}ms").parse().unwrap();
        assert_eq!(longest.as_millis(), LONGEST_MILLIS);
        assert_eq!(longest.plus(GoDuration::from_secs(i64::MAX)), longest);
        assert!(
            format!("{}ms", LONGEST_MILLIS + 1)
                .parse::<GoDuration>()
                .is_err()
        );
    }

    #[test]
    fn a_duration_is_read_from_json_by_the_same_rules() {
        let read = |text: &str| serde_json::from_str::<GoDuration>(text);
        assert_eq!(read("\"5m\"").unwrap(), GoDuration::from_mins(5));
        assert!(read("\"5d\"").unwrap_err().to_string().contains("unknown"));
    }

    #[cfg(feature = "schema")]
    #[test]
    fn the_schemas_are_strings_with_their_bounds_in_place() {
        let schema = |value: schemars::Schema| serde_json::to_value(value).unwrap();
        let time = schema(schemars::schema_for!(Option<Time>));
        assert_eq!(
            (&time["format"], &time["maxLength"]),
            (&"date-time".into(), &64.into())
        );
        let duration = schema(schemars::schema_for!(Option<GoDuration>));
        assert_eq!(duration["pattern"], PATTERN);
        let word = schema(schemars::schema_for!(Option<crate::phase::PhaseWord>));
        assert_eq!(word["maxLength"], 64);
        for inline in [time, duration, word] {
            assert_eq!(inline.get("$defs"), None);
        }
    }
}
