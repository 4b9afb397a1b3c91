//! Builds a program of the control plane from the Go modules that tests/control-plane/go.mod names,
//! into a cache folder under the target directory.

use super::{Context, Failure, Result, binaries::Program, tell};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// Where go.mod and go.sum are.
const MODULE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/control-plane");

const OTHERWISE: &str = "Or set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver, \
                         kube-controller-manager and kubectl.";

fn package(program: Program) -> &'static str {
    match program {
        Program::Etcd => "go.etcd.io/etcd/server/v3",
        Program::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
        Program::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
        Program::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
    }
}

/// The built program; it is built when this go.mod and go.sum have not been built before. Of
/// several processes that ask at once, one builds and the others wait.
pub(super) fn build(program: Program) -> Result<PathBuf> {
    let name = program.name();
    let go_mod =
        std::fs::read(format!("{MODULE}/go.mod")).context(|| format!("reading {MODULE}/go.mod"))?;
    let go_sum =
        std::fs::read(format!("{MODULE}/go.sum")).context(|| format!("reading {MODULE}/go.sum"))?;
    let folder = cache_folder(&go_mod, &go_sum)?;
    let built = folder.join(name);
    if built.exists() {
        return Ok(built);
    }
    std::fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
    let _lock = lock(&folder)?;
    if built.exists() {
        return Ok(built);
    }
    let version = kubernetes_version(&go_mod)?;
    tell(&format!(
        "building {name} from source, once; on two cores all four programs take about six minutes"
    ));
    let begin = Instant::now();
    // Under its final name only when it is whole.
    let unfinished = folder.join(format!("{name}.unfinished"));
    run_go(program, &version, &unfinished)?;
    std::fs::rename(&unfinished, &built)
        .context(|| format!("moving {} into place", unfinished.display()))?;
    tell(&format!(
        "built {} in {:.0} s",
        built.display(),
        begin.elapsed().as_secs_f32()
    ));
    Ok(built)
}

/// `<target directory>/control-plane/<hash>`: what is built depends on the two files alone.
fn cache_folder(go_mod: &[u8], go_sum: &[u8]) -> Result<PathBuf> {
    let hash = Sha256::new()
        .chain_update(go_mod)
        .chain_update(go_sum)
        .finalize();
    let name: String = hash
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = temporary
        .parent()
        .ok_or_else(|| Failure::new(format!("{} has no parent", temporary.display())))?;
    Ok(target.join("control-plane").join(name))
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let locking = || format!("locking {}", path.display());
    let file = File::create(&path).context(locking)?;
    if file.try_lock().is_err() {
        tell("another test process is building the control plane; waiting for it");
        file.lock().context(locking)?;
    }
    Ok(file)
}

/// The version of k8s.io/kubernetes, such as `1.36.3`.
fn kubernetes_version(go_mod: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(go_mod);
    let required = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    // A comment may follow.
    let version = required.and_then(|rest| rest.split_whitespace().next());
    version
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{MODULE}/go.mod requires no k8s.io/kubernetes")))
}

fn run_go(program: Program, version: &str, output: &Path) -> Result {
    let name = program.name();
    let mut numbers = version.split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let set = "-X k8s.io/component-base/version";
    // Without these the API server calls itself v0.0.0-master, and clients misjudge what it can do.
    let ldflags =
        format!("-s -w {set}.gitVersion=v{version} {set}.gitMajor={major} {set}.gitMinor={minor}");
    let built = Command::new("go")
        .current_dir(MODULE)
        // A static program; no C compiler is needed.
        .envs([("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOWORK", "off")])
        .args([
            "build",
            "-mod=readonly",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            &ldflags,
            "-o",
        ])
        .arg(output)
        .arg(package(program))
        .status();
    match built {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!(
            "go could not build {name} in {MODULE} ({status}); what it says is above. It needs Go \
             1.26 or newer and a Go module proxy. {OTHERWISE}"
        ))),
        Err(error) => Err(Failure::new(format!(
            "the whole-system tests need {name}, and there is none: not in the folder \
             KUBEBUILDER_ASSETS, not on PATH, and no Go to build it with (go: {error}). Install Go \
             1.26 or newer, and the tests build it once, in minutes. {OTHERWISE}"
        ))),
    }
}

#[test]
fn the_version_is_read_from_go_mod() -> Result {
    let go_mod =
        b"require (\n\tk8s.io/kube-openapi v0.0.1\n\tk8s.io/kubernetes v1.36.3 // indirect\n)\n";
    assert_eq!(kubernetes_version(go_mod)?, "1.36.3");
    Ok(())
}
