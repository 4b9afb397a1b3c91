//! The configuration file, written by a person: it is read, or every mistake is told with its place.

use crate::config;

/// Reads the text as a configuration file.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut problems = Vec::new();
    let given = config::file::parse(text, "config.yaml", &mut problems);
    match config::assemble(&given, problems) {
        Ok(configuration) => {
            // What was accepted can be written down and holds what the core relies on.
            assert!(configuration.tree().is_object());
            assert!(configuration.operator.lease_retry < configuration.operator.lease_duration);
            assert!(configuration.operator.concurrency > 0);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in &problems {
                let told = problem.to_string();
                assert!(
                    !problem.place.is_empty() && !problem.what.is_empty(),
                    "{told}"
                );
            }
        }
    }
}
