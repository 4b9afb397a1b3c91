//! Real answers on disk. `CONFORMANCE_RECORD=FILE` writes those of a run down, and `CONFORMANCE_REPLAY=FILE` compares a
//! mended simulated server with them, for which no control plane is needed.

use std::{
    collections::BTreeMap,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader, BufWriter, Write},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    harness::{Failure, Result},
    request::Step,
    run::Transcript,
};

/// What the real server answered to the sequence of one seed. One line of a recording.
#[derive(Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) seed: u64,
    pub(crate) namespace: String,
    /// Of the steps: a recording is of no use for other ones.
    fingerprint: u64,
    pub(crate) real: Transcript,
}

impl Recorded {
    /// The sequence of the seed is still the recorded one.
    pub(crate) fn is_about(&self, steps: &[Step]) -> bool {
        self.fingerprint == fingerprint(steps)
    }
}

fn fingerprint(steps: &[Step]) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{steps:?}").hash(&mut hasher);
    hasher.finish()
}

/// A recording while it is made.
pub(crate) struct Recorder(Mutex<BufWriter<File>>);

impl Recorder {
    pub(crate) fn create(path: &str) -> Result<Self> {
        Ok(Self(Mutex::new(BufWriter::new(File::create(path)?))))
    }

    pub(crate) fn record(
        &self,
        seed: u64,
        namespace: &str,
        steps: &[Step],
        real: &Transcript,
    ) -> Result {
        let recorded = Recorded {
            seed,
            namespace: namespace.to_owned(),
            fingerprint: fingerprint(steps),
            real: real.clone(),
        };
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{}", serde_json::to_string(&recorded)?)?;
        Ok(())
    }
}

/// Reads a recording, by seed.
pub(crate) fn read(path: &str) -> Result<BTreeMap<u64, Recorded>> {
    let file = File::open(path)
        .map_err(|error| Failure::new(format!("CONFORMANCE_REPLAY={path}: {error}")))?;
    let mut all = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        let recorded: Recorded = serde_json::from_str(&line?)?;
        all.insert(recorded.seed, recorded);
    }
    Ok(all)
}
