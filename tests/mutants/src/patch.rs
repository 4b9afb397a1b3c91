//! Unified diffs: reading one, and applying it to the text of a file.
//!
//! A hunk is looked for by its lines, the nearest place to the one that it names first, so that a patch outlives
//! changes elsewhere in the file. It must match exactly.

/// What a patch changes in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The file, from the root of the workspace.
    pub path: String,
    hunks: Vec<Hunk>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Hunk {
    /// The line that it names, from 0.
    at: usize,
    before: Vec<String>,
    after: Vec<String>,
}

/// Reads the changes of a patch; what stands before the first `--- ` is its header and is not read.
///
/// # Errors
/// If a line is none that a unified diff has; says which.
pub fn read(text: &str) -> Result<Vec<FileChange>, String> {
    let mut files: Vec<FileChange> = Vec::new();
    let body = text.lines().enumerate();
    for (number, line) in body.skip_while(|(_, line)| !line.starts_with("--- ")) {
        let refuse = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let hunk = files.last_mut().and_then(|file| file.hunks.last_mut());
        if line.starts_with("--- ") {
            continue;
        }
        if let Some(path) = line.strip_prefix("+++ b/") {
            files.push(FileChange {
                path: path.to_owned(),
                hunks: Vec::new(),
            });
        } else if let Some(place) = line.strip_prefix("@@ -") {
            let file = files.last_mut().ok_or_else(|| refuse("no file before"))?;
            let start = place.split([',', ' ']).next().and_then(|n| n.parse().ok());
            let start: usize = start.ok_or_else(|| refuse("no line number"))?;
            file.hunks.push(Hunk {
                at: start.saturating_sub(1),
                before: Vec::new(),
                after: Vec::new(),
            });
        } else {
            let hunk = hunk.ok_or_else(|| refuse("no hunk before"))?;
            let (sign, rest) = line.split_at_checked(1).unwrap_or((" ", ""));
            if sign != "+" {
                hunk.before.push(rest.to_owned());
            }
            if sign != "-" {
                hunk.after.push(rest.to_owned());
            }
            if !matches!(sign, "+" | "-" | " ") {
                return Err(refuse("neither context nor change"));
            }
        }
    }
    if files.is_empty() {
        return Err("changes no file".to_owned());
    }
    Ok(files)
}

impl FileChange {
    /// The text with the change made.
    ///
    /// # Errors
    /// If a hunk is not found in it; says which.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        // From the last to the first, so that the lines that hunks name stay true.
        for hunk in self.hunks.iter().rev() {
            let place = hunk.find(&lines).ok_or_else(|| {
                format!(
                    "{}: the lines from {} on are not there any more",
                    self.path,
                    hunk.at + 1
                )
            })?;
            lines.splice(place..place + hunk.before.len(), hunk.after.clone());
        }
        Ok(lines.join("\n"))
    }
}

impl Hunk {
    fn find(&self, lines: &[String]) -> Option<usize> {
        lines
            .windows(self.before.len())
            .enumerate()
            .filter(|(_, window)| *window == self.before)
            .map(|(place, _)| place)
            .min_by_key(|place| place.abs_diff(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str =
        "Bug: x\n--- a/f.rs\n+++ b/f.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";

    #[test]
    fn a_change_is_made_where_its_lines_are() {
        let change = &read(PATCH).unwrap()[0];
        assert_eq!(change.path, "f.rs");
        assert_eq!(
            change.apply("one\ntwo\nthree\n").unwrap(),
            "one\nTWO\nthree\n"
        );
        assert_eq!(
            change.apply("zero\none\ntwo\nthree\n").unwrap(),
            "zero\none\nTWO\nthree\n",
            "moved by a line"
        );
    }

    #[test]
    fn lines_that_are_gone_are_an_error() {
        let error = read(PATCH).unwrap()[0].apply("one\n2\nthree\n");
        assert_eq!(
            error,
            Err("f.rs: the lines from 1 on are not there any more".to_owned())
        );
        assert!(read("Bug: nothing else\n").is_err());
        assert!(read("--- a/f\n+++ b/f\n@@ -x @@\n").is_err());
    }
}
