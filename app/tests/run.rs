//! `run`, the whole process: it waits for what it needs, says why, works, and stops when it is asked to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use kube::api::{Api, DynamicObject, PostParams};
use kube::runtime::wait::await_condition;
use remediation_adapters::kubernetes::api::request_resource;
use remediation_adapters::kubernetes::crd;
use remediation_adapters::simulation::api_server::{ApiServer, Options, SystemClock};
use remediation_adapters::simulation::install_definitions;
use serde_json::{Value, json};

/// Longer than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operator as a process.
struct Operator {
    process: Child,
    lines: Receiver<String>,
}

impl Operator {
    /// Starts it against an API server at this address.
    fn start(server: SocketAddr, args: &[&str]) -> Self {
        let port = server.port();
        let kubeconfig =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("run-{port}.kubeconfig"));
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": format!("http://{server}") } }],
            "users": [{ "name": "u", "user": {} }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u", "namespace": "default" } }],
        });
        std::fs::write(&kubeconfig, text.to_string()).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
            .args([
                "run",
                "--http-address",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(args)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stderr = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { process, lines }
    }

    /// The first log line from now on whose message contains this.
    fn says(&self, what: &str) -> Value {
        loop {
            let line = self
                .lines
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|error| panic!("it never says `{what}`: {error}"));
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"]
                .as_str()
                .is_some_and(|message| message.contains(what))
            {
                return line;
            }
        }
    }

    /// Asks it to stop, and gives its exit code.
    fn stop(&mut self) -> Option<i32> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(asked.success());
        self.process.wait().unwrap().code()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // Where a test failed it still runs.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Status code and body of this page.
fn page(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

fn server() -> ApiServer {
    ApiServer::new(Options::new(Arc::new(SystemClock), 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_definitions_and_says_so_then_works_and_stops() {
    let server = server();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(listener));

    let mut operator = Operator::start(address, &["--leader-elect"]);
    let http = operator.says("starting")["http"]
        .as_str()
        .unwrap()
        .to_owned();
    let missing = operator.says("are not installed");
    let message = missing["message"].as_str().unwrap();
    assert!(
        message.contains("remediationrequests.remediation.kubernaut.ai"),
        "{message}"
    );
    assert!(
        message.contains("remediation-orchestrator crd | kubectl apply"),
        "{message}"
    );
    let (code, why) = page(&http, "/readyz");
    assert_eq!(code, 503);
    assert!(why.contains("are not installed"), "{why}");
    assert_eq!(
        page(&http, "/healthz").0,
        200,
        "waiting is no reason to be restarted"
    );

    install_definitions(&server.client()).await.unwrap();
    operator.says("leading");
    let resource = request_resource();
    let requests: Api<DynamicObject> = Api::namespaced_with(server.client(), "default", &resource);
    let request = serde_json::from_value(json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": { "name": "web" },
        "spec": { "targetingData": { "signalFingerprint": "f", "alertName": "A", "environment": "e" } },
    }))
    .unwrap();
    requests
        .create(&PostParams::default(), &request)
        .await
        .unwrap();
    let processing = |object: Option<&DynamicObject>| {
        object.is_some_and(|object| object.data["status"]["phase"] == "Processing")
    };
    let reached = await_condition(requests, "web", processing);
    tokio::time::timeout(PATIENCE, reached)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(page(&http, "/readyz").0, 200);
    let (_, metrics) = page(&http, "/metrics");
    assert!(
        metrics.contains("remediationorchestrator_status_update_success_total 1"),
        "{metrics}"
    );

    assert_eq!(operator.stop(), Some(0));
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> =
        Api::namespaced(server.client(), "default");
    let lease = leases.get("remediation-orchestrator").await.unwrap();
    let holder = lease.spec.unwrap().holder_identity.unwrap_or_default();
    assert_eq!(holder, "", "the lease is released");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_older_is_named_with_what_it_lacks() {
    let server = server();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(listener));
    let definitions = Api::<DynamicObject>::all_with(
        server.client(),
        &kube::api::ApiResource::erase::<
            k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
        >(&()),
    );
    for definition in crd::all() {
        let mut value = serde_json::to_value(&definition).unwrap();
        if value["spec"]["names"]["plural"] == "remediationrequests" {
            let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
            let status = value.pointer_mut(schema).unwrap().as_object_mut().unwrap();
            status.remove("nextDeadline").unwrap();
        }
        let object = serde_json::from_value(value).unwrap();
        definitions
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }
    let mut operator = Operator::start(address, &[]);
    let older = operator.says("is older than this version");
    let message = older["message"].as_str().unwrap();
    assert!(
        message.contains("it lacks status.nextDeadline;"),
        "{message}"
    );
    assert_eq!(operator.stop(), Some(0), "it stops while it waits, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_is_asked_again() {
    // A port that was free a moment ago, with nobody on it.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut operator = Operator::start(address, &[]);
    let http = operator.says("starting")["http"]
        .as_str()
        .unwrap()
        .to_owned();
    let first = operator.says("the API server does not answer");
    assert!(
        first["message"]
            .as_str()
            .unwrap()
            .contains("Connection refused"),
        "{first}"
    );
    let (code, why) = page(&http, "/readyz");
    assert_eq!(
        (code, why.contains("does not answer")),
        (503, true),
        "{why}"
    );

    let server = server();
    install_definitions(&server.client()).await.unwrap();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(server.serve(listener));
    operator.says("the API server answers");
    assert_eq!(operator.stop(), Some(0));
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_exit_code_2() {
    for (args, expected, next) in [
        (
            ["--kubeconfig", "/nonexistent"],
            "/nonexistent: cannot be read: No such file",
            "give a kubeconfig that exists",
        ),
        (
            ["--context", "nowhere"],
            "cannot be used",
            "kubectl config get-contexts",
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_remediation-orchestrator"))
            .args(["run", "--http-address", "127.0.0.1:0"])
            .args(args)
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(expected) && told.contains(next), "{told}");
    }
}
