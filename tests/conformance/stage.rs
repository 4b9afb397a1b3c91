//! The two servers of this test process: one real control plane, and simulated servers as many as are asked for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use remediation_adapters::simulation::api_server::{ApiServer, Options, SystemClock};
use tokio::sync::OnceCell;

use crate::{
    compare::{Comparison, compare},
    harness::{ControlPlane, Result, User},
    kinds,
    memory::Memory,
    request::{Request, Step},
    run::{Transcript, run},
    server::Server,
};

static PLANE: OnceCell<Result<ControlPlane>> = OnceCell::const_new();
static NAMESPACES: AtomicUsize = AtomicUsize::new(0);

/// A real and a simulated server, side by side.
pub(crate) struct Pair {
    pub(crate) real: Server,
    pub(crate) simulated: Server,
}

impl Pair {
    /// The process's control plane, and a simulated server of its own.
    pub(crate) async fn start() -> Result<Self> {
        let started = PLANE
            .get_or_init(async || ControlPlane::start(&kinds::definitions()?).await)
            .await;
        let plane = started.as_ref().map_err(Clone::clone)?;
        Ok(Self {
            real: Server::Real(client(plane).await?),
            simulated: simulated().await?,
        })
    }

    /// Runs the steps on both servers. The simulated one goes first: it tells what controllers come to.
    pub(crate) async fn run(&self, steps: &[Step]) -> (Transcript, Transcript) {
        self.run_in(steps, &new_namespace()).await
    }

    /// The same in a namespace of this name, which neither server has.
    pub(crate) async fn run_in(&self, steps: &[Step], namespace: &str) -> (Transcript, Transcript) {
        let simulated = run(&self.simulated, steps, namespace, None, None).await;
        let real = run(&self.real, steps, namespace, Some(&simulated), None).await;
        (real, simulated)
    }

    pub(crate) async fn compare(&self, steps: &[Step]) -> Comparison {
        let (real, simulated) = self.run(steps).await;
        compare(steps, &real, &simulated)
    }
}

/// A name that no sequence of this process has.
pub(crate) fn new_namespace() -> String {
    // No digits: they would look like a resourceVersion in a message.
    let mut number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
    let mut name = String::from("cf-");
    loop {
        let letter = u8::try_from(number % 26).unwrap_or_default();
        name.push(char::from(b'a' + letter));
        number /= 26;
        if number == 0 {
            return name;
        }
    }
}

/// A client that does not repeat refused requests by itself.
async fn client(plane: &ControlPlane) -> Result<Client> {
    let file = Kubeconfig::read_from(plane.kubeconfig(User::Admin))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// A simulated server with the definitions.
pub(crate) async fn simulated() -> Result<Server> {
    let server = Server::simulated(ApiServer::new(Options::new(Arc::new(SystemClock), 1)));
    let memory = Memory::new("");
    for definition in kinds::definitions()? {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let mut body = serde_json::to_value(&definition)?;
        body["apiVersion"] = "apiextensions.k8s.io/v1".into();
        body["kind"] = "CustomResourceDefinition".into();
        let answer = server.send(&Request::post(path, body), &memory).await;
        if answer.code != 201 {
            return Err(crate::harness::Failure::new(format!(
                "the simulated server refuses a definition: {}",
                answer.body
            )));
        }
    }
    Ok(server)
}
