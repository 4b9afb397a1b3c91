//! What a script may ask of the controllers. Scripts stand in annotations and traces, which anybody can write; without
//! bounds a line of one fills the memory.

use std::mem::discriminant;

use super::script::{Quirk, Script, Stage};

/// The most steps that a script may hold: more than a plan may have, so that one with too many can be tried.
const MOST_STEPS: usize = 100;
/// The most steps that a step may depend on.
const MOST_DEPENDENCIES: usize = 100;
/// The most status writes of one [`Quirk::Busy`].
const MOST_BUSY_WRITES: u32 = 1_000;

/// What lies beyond a bound: where, and what is allowed there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}` {problem}")]
pub struct OutOfBounds {
    /// The path of the field, as `script.steps[3].stage.quirks[0]`.
    pub place: String,
    /// What it is, and what it may be.
    pub problem: String,
}

impl OutOfBounds {
    pub(in crate::simulation) fn new(place: impl Into<String>, problem: String) -> Self {
        Self {
            place: place.into(),
            problem,
        }
    }

    /// This within a larger whole.
    #[must_use]
    pub(in crate::simulation) fn within(self, whole: &str) -> Self {
        Self {
            place: format!("{whole}.{}", self.place),
            ..self
        }
    }
}

impl Script {
    /// Whether the controllers can follow it in little memory. How long a stage takes is not bounded: time that nobody
    /// uses costs nothing.
    ///
    /// # Errors
    /// The first field that lies beyond its bound.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        at_most("steps", self.steps.len(), MOST_STEPS)?;
        for (name, stage) in self.stages() {
            stage.check().map_err(|error| error.within(&name))?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            let place = format!("steps[{number}].dependsOn");
            at_most(&place, step.depends_on.len(), MOST_DEPENDENCIES)?;
        }
        Ok(())
    }

    /// How many status writes its busy controllers make beside those that say something.
    #[must_use]
    pub fn busy_writes(&self) -> u64 {
        let quirks = self
            .stages()
            .flat_map(|(_, stage)| stage.quirks.iter().copied());
        quirks.fold(0, |sum, quirk| match quirk {
            Quirk::Busy(writes) => sum + u64::from(writes),
            Quirk::Flaps
            | Quirk::Odd
            | Quirk::Regresses
            | Quirk::Turns
            | Quirk::Replans
            | Quirk::Eager => sum,
        })
    }

    fn stages(&self) -> impl Iterator<Item = (String, &Stage)> {
        let own = [
            ("processing", &self.processing),
            ("analysis", &self.analysis),
            ("planning", &self.planning),
            ("workflow", &self.workflow),
        ];
        let steps = self.steps.iter().enumerate();
        own.into_iter()
            .map(|(name, stage)| (name.to_owned(), stage))
            .chain(steps.map(|(number, step)| (format!("steps[{number}].stage"), &step.stage)))
    }
}

impl Stage {
    fn check(&self) -> Result<(), OutOfBounds> {
        for (number, quirk) in self.quirks.iter().enumerate() {
            let place = || format!("quirks[{number}]");
            // Each flapping repeats all that was reported so far: thirty of them fill any memory.
            let same = |other: &Quirk| discriminant(other) == discriminant(quirk);
            if self.quirks[..number].iter().any(same) {
                let problem = "names a quirk that is already there; name each once".to_owned();
                return Err(OutOfBounds::new(place(), problem));
            }
            if let Quirk::Busy(writes) = *quirk
                && writes > MOST_BUSY_WRITES
            {
                let problem = format!("is {writes} writes; at most {MOST_BUSY_WRITES} are allowed");
                return Err(OutOfBounds::new(place(), problem));
            }
        }
        Ok(())
    }
}

/// Whether a list is short enough.
pub(in crate::simulation) fn at_most(
    place: &str,
    found: usize,
    most: usize,
) -> Result<(), OutOfBounds> {
    if found <= most {
        return Ok(());
    }
    let problem = format!("has {found} entries; at most {most} are allowed");
    Err(OutOfBounds::new(place, problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::children::Step;

    #[test]
    fn what_would_fill_the_memory_is_refused_with_its_place() {
        let with = |quirks: Vec<Quirk>| Script {
            analysis: Stage {
                quirks,
                ..Stage::default()
            },
            ..Script::default()
        };
        assert_eq!(with(Quirk::ALL.to_vec()).check(), Ok(()));
        let steps = |count: usize, dependencies: usize| Script {
            steps: vec![
                Step {
                    depends_on: vec![String::new(); dependencies],
                    ..Step::default()
                };
                count
            ],
            ..Script::default()
        };
        assert_eq!(steps(100, 100).check(), Ok(()));
        for (script, told) in [
            (
                with(vec![Quirk::Flaps, Quirk::Flaps]),
                "`analysis.quirks[1]` names a quirk that is already there",
            ),
            (
                with(vec![Quirk::Busy(1), Quirk::Busy(2)]),
                "`analysis.quirks[1]` names a quirk that is already there",
            ),
            (
                with(vec![Quirk::Busy(u32::MAX)]),
                "`analysis.quirks[0]` is 4294967295 writes; at most 1000",
            ),
            (steps(101, 0), "`steps` has 101 entries; at most 100"),
            (steps(2, 101), "`steps[0].dependsOn` has 101 entries"),
        ] {
            let error = script.check().unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
