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
    /// Whether it tests the core alone: then it is left out for a bug elsewhere.
    pub core_only: bool,
    /// A file that must be there; the layer is left out where it is not.
    pub needs: &'static str,
    /// After so long a bug counts as caught by a test that hangs.
    pub limit: Duration,
}

const fn core(
    name: &'static str,
    arguments: &'static [&'static str],
    needs: &'static str,
    minutes: u64,
) -> Layer {
    Layer {
        name,
        arguments,
        core_only: true,
        needs,
        limit: Duration::from_secs(60 * minutes),
    }
}

const fn whole(
    name: &'static str,
    arguments: &'static [&'static str],
    needs: &'static str,
    minutes: u64,
) -> Layer {
    Layer {
        core_only: false,
        ..core(name, arguments, needs, minutes)
    }
}

/// All layers, the cheapest first.
pub const LAYERS: &[Layer] = &[
    core(
        "core",
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
    core(
        "properties",
        &["-p", "remediation-core", "--test", "properties"],
        "core/tests/properties/main.rs",
        15,
    ),
    core(
        "enumeration",
        &["-p", "remediation-core", "--test", "enumeration"],
        "core/tests/enumeration/main.rs",
        20,
    ),
    core(
        "model",
        &["-p", "remediation-core", "--test", "model"],
        "core/tests/model/main.rs",
        20,
    ),
    whole(
        "adapters",
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
    whole(
        "adapters (simulated API server)",
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
    whole(
        "app",
        &[
            "-p",
            "remediation-orchestrator",
            "--bins",
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
    whole(
        "system (simulated)",
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
    whole(
        "system (real)",
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
        root.join(self.needs).exists() && (!self.core_only || bug.touches("core/"))
    }
}
