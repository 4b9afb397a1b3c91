//! One part of many runs, so that they can be done one part after the other or on several machines.

use std::fmt;
use std::str::FromStr;

/// Which part of how many: `3/10`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1.
    number: usize,
    of: usize,
}

impl Part {
    /// All of it.
    pub(super) const WHOLE: Self = Self { number: 1, of: 1 };

    /// What is in this part: every `of`th, so that all parts take about as long.
    pub(super) fn pick<T>(self, all: impl IntoIterator<Item = T>) -> Vec<T> {
        all.into_iter()
            .skip(self.number - 1)
            .step_by(self.of)
            .collect()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<usize>().ok();
        let parts = text
            .split_once('/')
            .and_then(|(part, of)| Some((number(part)?, number(of)?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write it as PART/PARTS, for example 3/10; the first is 1".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_together_are_the_whole() {
        let part = |text: &str| text.parse::<Part>().unwrap().pick(0..10);
        assert_eq!(part("1/3"), [0, 3, 6, 9]);
        assert_eq!(part("2/3"), [1, 4, 7]);
        assert_eq!(part("3/3"), [2, 5, 8]);
        assert_eq!(Part::WHOLE.pick(0..3), [0, 1, 2]);
        for wrong in ["0/3", "4/3", "3", "a/b", "1/0"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
