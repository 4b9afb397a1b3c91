//! Finds the programs of the control plane: in the folder `KUBEBUILDER_ASSETS`, on `PATH`, or built
//! once from source.

use super::{Failure, Result, source_build, tell};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Where the programs are.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub(super) etcd: PathBuf,
    pub(super) kube_apiserver: PathBuf,
    pub(super) kube_controller_manager: PathBuf,
    pub(super) kubectl: PathBuf,
}

/// A program of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    Kubectl,
}

impl Program {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
        }
    }

    /// How it is asked for its version.
    fn version_args(self) -> &'static [&'static str] {
        match self {
            Self::Etcd | Self::KubeApiserver | Self::KubeControllerManager => &["--version"],
            Self::Kubectl => &["version", "--client"],
        }
    }

    /// The oldest version that the tests accept. API servers from 1.33 on serve all that the
    /// operator and its policies use, and etcd 3.5 is what they need; the tests use only what
    /// kubectl has had for long.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Etcd => (3, 5),
            Self::KubeApiserver | Self::KubeControllerManager => (1, 33),
            Self::Kubectl => (1, 30),
        }
    }
}

impl Binaries {
    /// Finds or builds all of them, once in a process. The first build takes minutes: not for an
    /// async thread.
    pub(super) fn locate() -> Result<&'static Self> {
        static LOCATED: OnceLock<Result<Binaries>> = OnceLock::new();
        LOCATED
            .get_or_init(Self::locate_afresh)
            .as_ref()
            .map_err(Clone::clone)
    }

    fn locate_afresh() -> Result<Self> {
        Ok(Self {
            etcd: locate(Program::Etcd)?,
            kube_apiserver: locate(Program::KubeApiserver)?,
            kube_controller_manager: locate(Program::KubeControllerManager)?,
            kubectl: locate(Program::Kubectl)?,
        })
    }
}

fn locate(program: Program) -> Result<PathBuf> {
    let name = program.name();
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        let path = Path::new(&folder).join(name);
        // setup-envtest brings no kube-controller-manager: one that is not there is looked for
        // elsewhere. One that is there and does not fit is an error, because somebody chose it.
        if path.exists() {
            check(program, &path).map_err(|why| {
                Failure::new(format!(
                    "KUBEBUILDER_ASSETS holds {}, but {why}",
                    path.display()
                ))
            })?;
            return Ok(path);
        }
    }
    for folder in std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
    {
        let path = folder.join(name);
        if !path.is_file() {
            continue;
        }
        match check(program, &path) {
            Ok(()) => {
                tell(&format!("using {}", path.display()));
                return Ok(path);
            }
            Err(why) => tell(&format!("not using {}: {why}", path.display())),
        }
    }
    source_build::build(program)
}

/// Whether the program runs and is new enough; if not, why.
fn check(program: Program, path: &Path) -> std::result::Result<(), String> {
    let output = Command::new(path)
        .args(program.version_args())
        .output()
        .map_err(|error| format!("it cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!(
            "its version cannot be asked ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let version = version_in(&text)
        .ok_or_else(|| format!("it does not tell its version: {}", text.trim()))?;
    let (major, minor) = program.oldest();
    if version < (major, minor) {
        return Err(format!(
            "it is version {}.{}, and {major}.{minor} or newer is needed",
            version.0, version.1
        ));
    }
    Ok(())
}

/// The first word like `v1.36.3` or `3.6.8`: its first two numbers.
fn version_in(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

#[test]
fn versions_are_read_as_each_program_prints_them() {
    assert_eq!(version_in("Kubernetes v1.36.3\n"), Some((1, 36)));
    assert_eq!(
        version_in("etcd Version: 3.6.8\nGit SHA: Not provided\nGo Version: go1.26.8\n"),
        Some((3, 6))
    );
    assert_eq!(
        version_in("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0\n"),
        Some((1, 32))
    );
    assert_eq!(version_in("unknown"), None);
}
