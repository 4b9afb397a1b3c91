//! The patches of this folder, and what their headers say.

use std::fs;
use std::io;

use crate::patch::{self, FileChange};
use crate::workspace;

/// A bug to be planted.
#[derive(Clone, Debug)]
pub struct Bug {
    /// The file's name without `.patch`: `001-absence-in-a-cache-is-absence`.
    pub name: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// Which system had it.
    pub seen: String,
    /// The promises that it breaks.
    pub breaks: String,
    /// The layer that should catch it.
    pub expected: String,
    /// The changes.
    pub changes: Vec<FileChange>,
    /// Changes whenever the patch does.
    pub fingerprint: String,
}

/// All bugs, in the order of their names.
///
/// # Errors
/// If a patch cannot be read; says which and why.
pub fn load() -> io::Result<Vec<Bug>> {
    let mut bugs = Vec::new();
    for entry in fs::read_dir(workspace().join("tests/mutants"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let bug = read(&name, &fs::read_to_string(&path)?);
            bugs.push(bug.map_err(|what| io::Error::other(format!("{name}.patch: {what}")))?);
        }
    }
    bugs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(bugs)
}

fn read(name: &str, text: &str) -> Result<Bug, String> {
    let field = |field: &str| {
        let mut header = text.lines().take_while(|line| !line.starts_with("--- "));
        let value = header.find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        let value = value.ok_or_else(|| format!("the header has no `{field}: `"))?;
        Ok::<_, String>(value.trim().to_owned())
    };
    Ok(Bug {
        name: name.to_owned(),
        what: field("Bug")?,
        seen: field("Seen")?,
        breaks: field("Breaks")?,
        expected: field("Expected")?,
        changes: patch::read(text)?,
        fingerprint: fingerprint(text),
    })
}

/// FNV-1a, 64 bits: stable across versions of the standard library.
pub(crate) fn fingerprint(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

impl Bug {
    /// Whether it changes a file below this folder.
    #[must_use]
    pub fn touches(&self, folder: &str) -> bool {
        self.changes
            .iter()
            .any(|change| change.path.starts_with(folder))
    }
}
