//! The layers of tests, the cheapest first.

use std::path::Path;
use std::time::Duration;

use crate::catalogue::Bug;

/// A layer of tests: one call of cargo.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// What it is called on the page.
    pub name: &'static str,
    /// What is given to `cargo test`.
    pub arguments: &'static [&'static str],
    /// The folders whose files it tests: it is left out for a bug elsewhere.
    pub made_of: &'static [&'static str],
    /// A file that must be there; the layer is left out where it is not.
    pub needs: &'static str,
    /// After so long it is ended, whether it builds or runs.
    pub limit: Duration,
}

/// What the core's tests are made of.
const CORE: &[&str] = &["core/"];
/// What the adapters' tests are made of.
const ADAPTERS: &[&str] = &["core/", "adapters/"];
/// What the binary's tests are made of: they read the manifests, too.
const ALL: &[&str] = &["core/", "adapters/", "app/", "deploy/"];

const fn layer(
    name: &'static str,
    made_of: &'static [&'static str],
    arguments: &'static [&'static str],
    needs: &'static str,
    minutes: u64,
) -> Layer {
    Layer {
        name,
        made_of,
        arguments,
        needs,
        limit: Duration::from_secs(60 * minutes),
    }
}

/// All layers, the cheapest first.
pub const LAYERS: &[Layer] = &[
    layer(
        "core",
        CORE,
        &[
            "-p",
            "remediation-core",
            "--lib",
            "--test",
            "lifecycle",
            "--test",
            "pages",
        ],
        "core/tests/lifecycle/main.rs",
        10,
    ),
    layer(
        "properties",
        CORE,
        &["-p", "remediation-core", "--test", "properties"],
        "core/tests/properties/main.rs",
        15,
    ),
    layer(
        "enumeration",
        CORE,
        &["-p", "remediation-core", "--test", "enumeration"],
        "core/tests/enumeration/main.rs",
        20,
    ),
    layer(
        "model",
        CORE,
        &["-p", "remediation-core", "--test", "model"],
        "core/tests/model/main.rs",
        20,
    ),
    layer(
        "adapters",
        ADAPTERS,
        &[
            "-p",
            "remediation-adapters",
            "--features",
            "simulation",
            "--lib",
        ],
        "adapters/src/lib.rs",
        20,
    ),
    layer(
        "adapters (simulated API server)",
        ADAPTERS,
        &[
            "-p",
            "remediation-adapters",
            "--features",
            "simulation",
            "--test",
            "*",
        ],
        "adapters/src/lib.rs",
        20,
    ),
    layer(
        "app",
        ALL,
        &["-p", "remediation-orchestrator", "--bins"],
        "app/src/main.rs",
        20,
    ),
    layer(
        "app (the binary)",
        ALL,
        &[
            "-p",
            "remediation-orchestrator",
            "--test",
            "cli",
            "--test",
            "demo",
            "--test",
            "replay",
            "--test",
            "run",
        ],
        "app/src/main.rs",
        20,
    ),
    layer(
        "system (simulated)",
        ALL,
        &[
            "-p",
            "remediation-orchestrator",
            "--test",
            "system",
            "--",
            "on_the_simulated_api_server",
        ],
        "tests/system/main.rs",
        30,
    ),
    layer(
        "system (real)",
        ALL,
        &[
            "-p",
            "remediation-orchestrator",
            "--test",
            "system",
            "--",
            "--skip",
            "on_the_simulated_api_server",
        ],
        "tests/system/main.rs",
        40,
    ),
];

impl Layer {
    /// Whether it can tell anything of this bug, in this workspace.
    #[must_use]
    pub fn applies(&self, bug: &Bug, root: &Path) -> bool {
        root.join(self.needs).exists() && self.made_of.iter().any(|folder| bug.touches(folder))
    }
}
