//! A real control plane on loopback: etcd, kube-apiserver, and a kube-controller-manager that runs
//! the garbage collector.

use super::{
    Context, Failure, Result, User, access, apply_crd, audit, binaries::Binaries, crds,
    ports::free_port, supervised::Supervised, tell, wait,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// A control plane of this test process. Its processes end when it is dropped, and in any case with
/// the test process.
pub(crate) struct ControlPlane {
    binaries: &'static Binaries,
    folder: PathBuf,
    /// Held as long as the folder is in use: see [`remove_stale_folders`].
    _folder_lock: File,
    port: u16,
    etcd_port: u16,
    // Fields are dropped in this order: first who uses, then who is used.
    controller_manager: Mutex<Option<Supervised>>,
    api_server: Mutex<Option<Supervised>>,
    etcd: Mutex<Supervised>,
    numbers: AtomicU32,
}

/// The API server is ready within 3 s on an idle machine; a busy one gets its time.
const START_DEADLINE: Duration = Duration::from_secs(120);

static SHARED: OnceCell<Result<ControlPlane>> = OnceCell::const_new();
static STARTED: AtomicU32 = AtomicU32::new(0);

impl ControlPlane {
    /// The control plane that all tests of a run share; the first one that asks starts it. Each
    /// test works in a [namespace](Self::namespace) of its own, and none stops the API server.
    pub(crate) async fn shared() -> Result<&'static Self> {
        let started = SHARED
            .get_or_init(async || Self::start(&crds::all()?).await)
            .await;
        started.as_ref().map_err(Clone::clone)
    }

    /// Starts a control plane for the caller alone. The garbage collector knows the kinds of `crds`
    /// from the start; it finds others only within 30 s.
    pub(crate) async fn start(crds: &[CustomResourceDefinition]) -> Result<Self> {
        let binaries = tokio::task::spawn_blocking(Binaries::locate).await??;
        let begin = Instant::now();
        let (folder, folder_lock) = new_folder()?;
        let etcd_port = free_port()?;
        let plane = Self {
            etcd: Mutex::new(start_etcd(binaries, &folder, etcd_port)?),
            binaries,
            folder,
            _folder_lock: folder_lock,
            port: free_port()?,
            etcd_port,
            controller_manager: Mutex::new(None),
            api_server: Mutex::new(None),
            numbers: AtomicU32::new(0),
        };
        std::fs::write(plane.folder.join("audit-policy.yaml"), audit::POLICY)?;
        std::fs::write(plane.folder.join("tokens.csv"), access::token_file())?;
        plane.write_kubeconfigs()?;
        plane.start_api_server().await?;
        plane
            .bind_cluster_role("cluster-admin", User::ChildControllers)
            .await?;
        let admin = plane.client(User::Admin).await?;
        for crd in crds {
            apply_crd(&admin, crd).await?;
        }
        *locked(&plane.controller_manager) = Some(plane.spawn_controller_manager()?);
        tell(&format!(
            "ready after {:.1} s; its logs are in {}",
            begin.elapsed().as_secs_f32(),
            plane.folder.display()
        ));
        Ok(plane)
    }

    /// The API server's address.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// etcd's address, for those who want to see what was committed.
    pub(crate) fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    /// Where this control plane keeps its files: logs, kubeconfigs, data. It is kept until the next
    /// run.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The raw audit log: audit.k8s.io/v1, one JSON object a line.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    pub(super) fn binaries(&self) -> &Binaries {
        self.binaries
    }

    /// The certificate that the API server made for itself, with its issuer.
    pub(super) fn certificate(&self) -> PathBuf {
        self.certificates().join("apiserver.crt")
    }

    fn certificates(&self) -> PathBuf {
        self.folder.join("certificates")
    }

    /// The processes that run, by name.
    #[allow(dead_code, reason = "only the load asks what they use")]
    pub(crate) fn processes(&self) -> Vec<(&'static str, u32)> {
        let named = |name, process: &Mutex<Option<Supervised>>| {
            locked(process)
                .as_ref()
                .map(|process| (name, process.pid()))
        };
        let api_server = named("kube-apiserver", &self.api_server);
        let collector = named("garbage collector", &self.controller_manager);
        let etcd = ("etcd", locked(&self.etcd).pid());
        api_server
            .into_iter()
            .chain([etcd])
            .chain(collector)
            .collect()
    }

    /// A number that this control plane gives out once.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Kills the API server with SIGKILL, as SIGTERM would drain requests for 20 s. etcd keeps the
    /// data.
    pub(crate) fn stop_api_server(&self) {
        *locked(&self.api_server) = None;
    }

    /// Starts the API server on its port, with its data, and waits until it is ready.
    pub(crate) async fn start_api_server(&self) -> Result {
        *locked(&self.api_server) = Some(self.spawn_api_server()?);
        let ready = wait::until(START_DEADLINE, async || {
            if self.is_ready().await {
                Some(Ok(()))
            } else {
                self.check_running().err().map(Err)
            }
        });
        ready
            .await
            .unwrap_or_else(|| Err(self.not_ready(&format!("after {START_DEADLINE:?}"))))
    }

    /// An error with the end of its log, when etcd or the API server has ended.
    fn check_running(&self) -> Result {
        locked(&self.etcd).check_running()?;
        match locked(&self.api_server).as_mut() {
            Some(server) => server.check_running(),
            None => Err(Failure::new("kube-apiserver was stopped while it started")),
        }
    }

    fn not_ready(&self, when: &str) -> Failure {
        match locked(&self.api_server).as_ref() {
            Some(server) => server.failure(&format!("is not ready {when}")),
            None => Failure::new(format!("kube-apiserver is not ready {when}")),
        }
    }

    /// Kills the API server and starts it again.
    pub(crate) async fn restart_api_server(&self) -> Result {
        self.stop_api_server();
        self.start_api_server().await
    }

    /// Kills the kube-controller-manager and starts it again: a garbage collector that knows nothing yet.
    pub(crate) fn restart_controller_manager(&self) -> Result {
        *locked(&self.controller_manager) = None;
        *locked(&self.controller_manager) = Some(self.spawn_controller_manager()?);
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        // The certificate that the client checks is made by the API server, so that there is no
        // client before it.
        let Ok(client) = self.client(User::Admin).await else {
            return false;
        };
        let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
            return false;
        };
        client.request_text(request).await.is_ok()
    }

    fn spawn_api_server(&self) -> Result<Supervised> {
        // The key of the API server's own certificate also signs the ServiceAccounts' tokens: it is
        // made before it is read, lies with the certificate so that tokens survive a restart, and
        // no other tool is needed to make one.
        let key = self.certificates().join("apiserver.key");
        let args = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            String::from("--bind-address=127.0.0.1"),
            String::from("--advertise-address=127.0.0.1"),
            format!("--secure-port={}", self.port),
            format!("--cert-dir={}", self.certificates().display()),
            format!("--service-account-key-file={}", key.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            String::from("--service-account-issuer=https://kubernetes.default.svc"),
            String::from("--service-cluster-ip-range=10.0.0.0/24"),
            String::from("--endpoint-reconciler-type=none"),
            format!(
                "--token-auth-file={}",
                self.folder.join("tokens.csv").display()
            ),
            String::from("--authorization-mode=RBAC"),
            String::from("--enable-admission-plugins=OwnerReferencesPermissionEnforcement"),
            // Nothing makes the ServiceAccounts that this plugin wants in every namespace.
            String::from("--disable-admission-plugins=ServiceAccount"),
            format!(
                "--audit-policy-file={}",
                self.folder.join("audit-policy.yaml").display()
            ),
            format!("--audit-log-path={}", self.audit_log().display()),
            // Megabytes: more than any run writes, so that the log is one file.
            String::from("--audit-log-maxsize=10000"),
        ];
        let log = self.folder.join("kube-apiserver.log");
        Supervised::start("kube-apiserver", &self.binaries.kube_apiserver, args, &log)
    }

    fn spawn_controller_manager(&self) -> Result<Supervised> {
        let args = [
            format!(
                "--kubeconfig={}",
                self.kubeconfig(User::ControllerManager).display()
            ),
            String::from("--controllers=garbage-collector-controller,namespace-controller"),
            String::from("--leader-elect=false"),
            String::from("--secure-port=0"),
        ];
        let log = self.folder.join("kube-controller-manager.log");
        Supervised::start(
            "kube-controller-manager",
            &self.binaries.kube_controller_manager,
            args,
            &log,
        )
    }
}

fn start_etcd(binaries: &Binaries, folder: &Path, port: u16) -> Result<Supervised> {
    let client_url = format!("http://127.0.0.1:{port}");
    let peer_url = format!("http://127.0.0.1:{}", free_port()?);
    let args = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client_url}"),
        format!("--advertise-client-urls={client_url}"),
        format!("--listen-peer-urls={peer_url}"),
        format!("--initial-advertise-peer-urls={peer_url}"),
        format!("--initial-cluster=default={peer_url}"),
        String::from("--log-level=warn"),
        // The data need not outlive the machine.
        String::from("--unsafe-no-fsync"),
    ];
    Supervised::start("etcd", &binaries.etcd, args, &folder.join("etcd.log"))
}

/// The lock file of a folder that a control plane uses.
const LOCK: &str = "in-use";

/// A folder of our own under the target directory.
fn new_folder() -> Result<(PathBuf, File)> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("control-planes");
    std::fs::create_dir_all(&parent).context(|| format!("creating {}", parent.display()))?;
    // One process at a time, so that none removes a folder that another has made and not yet
    // locked.
    let turn = File::create(parent.join("turn"))?;
    turn.lock()
        .context(|| format!("locking {}", parent.display()))?;
    remove_stale_folders(&parent);
    let folder = parent.join(format!(
        "{}-{}",
        std::process::id(),
        STARTED.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
    let lock = File::create(folder.join(LOCK))?;
    lock.lock()
        .context(|| format!("locking {}", folder.display()))?;
    Ok((folder, lock))
}

/// Removes what earlier runs left for a look at their logs. A folder in use is locked.
fn remove_stale_folders(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for folder in entries.flatten().map(|entry| entry.path()) {
        let Ok(lock) = File::open(folder.join(LOCK)) else {
            continue;
        };
        match lock.try_lock() {
            Ok(()) => {
                if let Err(error) = std::fs::remove_dir_all(&folder) {
                    tell(&format!(
                        "cannot remove the old {}: {error}",
                        folder.display()
                    ));
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// A test that panicked while it held the lock has left a whole `Option` behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
