//! Runs the inputs that are kept, without a fuzzer.

use std::fs;
use std::path::Path;

/// Runs every input that is kept for this target through its body.
pub fn replay(target: &str, body: impl Fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let folder = corpus.join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder that can be read").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "{target}: {} inputs", inputs.len());
    for input in inputs {
        // Shown only if the input fails.
        println!("{}", input.display());
        body(&fs::read(&input).expect("a file that can be read"));
    }
}
