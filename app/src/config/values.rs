//! The value of a field: what kinds there are, and the check of a single one.

use std::net::SocketAddr;

use remediation_core::text;
use remediation_core::time::GoDuration;
use serde_json::Value;

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A duration such as `15m`, from and to these milliseconds.
    Duration(i64, i64),
    /// A whole number, from and to.
    Whole(i64, i64),
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of words; comma-separated in a flag.
    List,
    /// `IP:PORT`
    Address,
    /// The name of a namespace, or empty.
    Namespace,
    /// The name of an object.
    Name,
}

/// A value as it was given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    /// From a flag or the environment, or a text in the file.
    Text(String),
    /// A whole number in the file.
    Whole(i64),
    /// Any other number in the file.
    Decimal(f64),
    /// `true` or `false` in the file.
    Switch(bool),
    /// A list in the file.
    List(Vec<Raw>),
    /// A mapping in the file.
    Mapping,
}

/// A year, in milliseconds.
pub(super) const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;

impl Kind {
    /// The value as the configuration's tree holds it, or what is wrong with it and what would be right.
    pub(crate) fn check(self, raw: &Raw) -> Result<Value, String> {
        match self {
            Kind::Duration(least, most) => duration(raw, least, most),
            Kind::Whole(least, most) => whole(raw, least, most),
            Kind::Switch => switch(raw),
            Kind::Word(words) => word(raw, words),
            Kind::List => list(raw),
            Kind::Address => address(raw),
            Kind::Namespace => name(raw, "namespace", true),
            Kind::Name => name(raw, "object", false),
        }
    }

    /// What values it takes, for people.
    #[cfg(test)]
    pub(crate) fn describe(self) -> String {
        match self {
            Kind::Duration(least, most) => format!(
                "duration, {} to {}",
                GoDuration::from_millis(least),
                readable(most)
            ),
            Kind::Whole(least, most) => format!("whole number, {least} to {most}"),
            Kind::Switch => "true or false".to_owned(),
            Kind::Word(words) => words.join(", "),
            Kind::List => "list of 1 to 32 words".to_owned(),
            Kind::Address => "IP:PORT".to_owned(),
            Kind::Namespace => "name of a namespace".to_owned(),
            Kind::Name => "name of an object".to_owned(),
        }
    }
}

fn readable(millis: i64) -> String {
    if millis == YEAR {
        "a year".to_owned()
    } else {
        GoDuration::from_millis(millis).to_string()
    }
}

fn duration(raw: &Raw, least: i64, most: i64) -> Result<Value, String> {
    let text = match raw {
        Raw::Text(text) => text.trim(),
        Raw::Whole(number) => {
            return Err(format!(
                "{number} has no unit; write for example {number}s or 15m (units ms, s, m, h)"
            ));
        }
        Raw::Decimal(_) | Raw::Switch(_) | Raw::List(_) | Raw::Mapping => {
            return Err(format!(
                "{} is no duration; write for example 90s or 15m",
                raw.describe()
            ));
        }
    };
    let duration: GoDuration = text.parse().map_err(|error| format!("{error}"))?;
    let millis = duration.as_millis();
    if millis < least {
        Err(format!(
            "{duration} is too short; the least is {}",
            GoDuration::from_millis(least)
        ))
    } else if millis > most {
        Err(format!(
            "{duration} is too long; the most is {}",
            readable(most)
        ))
    } else {
        Ok(Value::String(duration.to_string()))
    }
}

fn whole(raw: &Raw, least: i64, most: i64) -> Result<Value, String> {
    let range = format!("write a number from {least} to {most}");
    let number = match raw {
        Raw::Whole(number) => *number,
        Raw::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| format!("{} is no whole number; {range}", raw.describe()))?,
        Raw::Decimal(_) | Raw::Switch(_) | Raw::List(_) | Raw::Mapping => {
            return Err(format!("{} is no whole number; {range}", raw.describe()));
        }
    };
    if (least..=most).contains(&number) {
        Ok(Value::from(number))
    } else {
        Err(format!("{number} is out of range; {range}"))
    }
}

fn switch(raw: &Raw) -> Result<Value, String> {
    match raw {
        Raw::Switch(value) => Ok(Value::Bool(*value)),
        Raw::Text(text) if text == "true" => Ok(Value::Bool(true)),
        Raw::Text(text) if text == "false" => Ok(Value::Bool(false)),
        Raw::Text(_) | Raw::Whole(_) | Raw::Decimal(_) | Raw::List(_) | Raw::Mapping => {
            Err(format!("{} is neither true nor false", raw.describe()))
        }
    }
}

fn word(raw: &Raw, words: &[&str]) -> Result<Value, String> {
    match raw {
        Raw::Text(text) if words.contains(&text.as_str()) => Ok(Value::String(text.clone())),
        _ => Err(format!(
            "{} is none of {}",
            raw.describe(),
            words.join(", ")
        )),
    }
}

fn list(raw: &Raw) -> Result<Value, String> {
    let entries: Vec<Raw> = match raw {
        Raw::List(entries) => entries.clone(),
        Raw::Text(text) => text
            .split(',')
            .map(|entry| Raw::Text(entry.trim().to_owned()))
            .collect(),
        Raw::Whole(_) | Raw::Decimal(_) | Raw::Switch(_) | Raw::Mapping => {
            return Err(format!(
                "{} is no list; write for example [slack, email]",
                raw.describe()
            ));
        }
    };
    if entries.is_empty() || entries.len() > 32 {
        return Err(format!(
            "it has {} entries; 1 to 32 are allowed",
            entries.len()
        ));
    }
    let mut words = Vec::new();
    for entry in &entries {
        match entry {
            Raw::Text(text) if text.trim().is_empty() => {
                return Err("an entry is empty; leave it out".to_owned());
            }
            Raw::Text(text) if text.chars().count() > 253 => {
                return Err(format!(
                    "the entry {} is longer than 253 characters",
                    entry.describe()
                ));
            }
            Raw::Text(text) => words.push(Value::String(text.clone())),
            _ => {
                return Err(format!(
                    "the entry {} is no word; put it in quotes",
                    entry.describe()
                ));
            }
        }
    }
    Ok(Value::Array(words))
}

fn address(raw: &Raw) -> Result<Value, String> {
    let refuse = || {
        format!(
            "{} is no address; write IP:PORT, for example 127.0.0.1:9090 or [::]:9090",
            raw.describe()
        )
    };
    let Raw::Text(text) = raw else {
        return Err(refuse());
    };
    // `:9090` is how Go programs write "on every address".
    let full = match text.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => text.clone(),
    };
    let address: SocketAddr = full.parse().map_err(|_| refuse())?;
    Ok(Value::String(address.to_string()))
}

fn name(raw: &Raw, what: &str, may_be_empty: bool) -> Result<Value, String> {
    let longest = if what == "namespace" { 63 } else { 253 };
    match raw {
        Raw::Text(text) if text.is_empty() && may_be_empty => Ok(Value::String(String::new())),
        Raw::Text(text) if is_dns_name(text, longest, what == "object") => {
            Ok(Value::String(text.clone()))
        }
        _ => Err(format!(
            "{} is no name of a{} {what}; lower-case letters, digits and dashes, at most {longest}",
            raw.describe(),
            if what == "object" { "n" } else { "" },
        )),
    }
}

fn is_dns_name(text: &str, longest: usize, dots: bool) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= longest
        && if dots {
            text.split('.').all(label)
        } else {
            label(text)
        }
}

impl Raw {
    /// The value in a form that may stand in an error message.
    pub(crate) fn describe(&self) -> String {
        match self {
            Raw::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Raw::Text(text) => format!("`{}`", text::clean(text, 40)),
            Raw::Whole(number) => number.to_string(),
            Raw::Decimal(number) => number.to_string(),
            Raw::Switch(value) => value.to_string(),
            Raw::List(_) => "a list".to_owned(),
            Raw::Mapping => "a mapping".to_owned(),
        }
    }
}
