//! The served port, through the real kubectl.

use std::{
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
};

use kube::{Client, CustomResourceExt, api::PostParams};
use remediation_adapters::simulation::api_server::{ApiServer, Options, SystemClock};
use tokio::{net::TcpListener, process::Command};

use crate::widget::{Widget, install, widget, widgets};

/// A server on a port of its own, and kubectl's view of it. Everything ends with the test.
struct Cluster {
    client: Client,
    home: PathBuf,
    port: u16,
    _serving: tokio::task::JoinSet<()>,
}

impl Cluster {
    async fn start(test: &str) -> Self {
        let server = ApiServer::new(Options::new(Arc::new(SystemClock), 1));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubectl-{test}-{port}"));
        std::fs::create_dir_all(&home).unwrap();
        let mut serving = tokio::task::JoinSet::new();
        serving.spawn(server.serve(listener));
        let client = server.client();
        Self {
            client,
            home,
            port,
            _serving: serving,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .arg(format!("--server=http://127.0.0.1:{}", self.port))
            .arg(format!("--cache-dir={}", self.home.display()))
            .args(arguments)
            .env("KUBECONFIG", self.home.join("none"))
            .env("HOME", &self.home)
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .await
            .expect("kubectl runs: install it (Debian: kubernetes-client) or put it on the PATH")
    }

    async fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {text} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A left-over folder in the build's own temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

const WIDGET: &str = "\
apiVersion: example.com/v1
kind: Widget
metadata: {name: a}
spec: {colour: red}
";

#[tokio::test]
async fn kubectl_applies_lists_waits_and_deletes() {
    let cluster = Cluster::start("applies").await;
    let definition = cluster.file("crd.json", &serde_json::to_string(&Widget::crd()).unwrap());
    let object = cluster.file("widget.yaml", WIDGET);
    cluster.text(&["apply", "-f", &definition]).await;
    cluster
        .text(&[
            "wait",
            "--for=condition=Established",
            "crd/widgets.example.com",
            "--timeout=20s",
        ])
        .await;
    assert_eq!(
        cluster.text(&["apply", "-f", &object]).await.trim(),
        "widget.example.com/a created"
    );
    assert_eq!(
        cluster.text(&["apply", "-f", &object]).await.trim(),
        "widget.example.com/a unchanged"
    );
    let changed = cluster.file("widget.yaml", &WIDGET.replace("red", "blue"));
    assert_eq!(
        cluster.text(&["apply", "-f", &changed]).await.trim(),
        "widget.example.com/a configured"
    );

    let table = cluster.text(&["get", "wd"]).await;
    let lines: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["NAME", "COLOUR", "READY", "AGE"]);
    assert_eq!(lines[1][..2], ["a", "blue"]);
    assert!(
        cluster
            .text(&["get", "wd", "-o", "wide"])
            .await
            .contains("SIZE")
    );

    let patch = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    cluster
        .text(&[
            "patch",
            "wd",
            "a",
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        ])
        .await;
    cluster
        .text(&["wait", "--for=condition=Ready", "wd/a", "--timeout=20s"])
        .await;
    assert!(
        cluster
            .text(&["describe", "wd", "a"])
            .await
            .contains("Colour:  blue")
    );
    cluster.text(&["label", "wd", "a", "team=red"]).await;
    assert!(
        cluster
            .text(&["get", "wd", "-l", "team=red", "-o", "name"])
            .await
            .contains("widget.example.com/a")
    );
    assert!(
        cluster
            .text(&["delete", "wd", "a", "--timeout=20s"])
            .await
            .contains("deleted")
    );
    let gone = cluster.run(&["get", "wd", "a"]).await;
    assert!(String::from_utf8_lossy(&gone.stderr).contains("NotFound"));
}

#[tokio::test]
async fn kubectl_tells_what_is_wrong_with_an_object() {
    let cluster = Cluster::start("refuses").await;
    install(&cluster.client).await;
    let unknown = cluster.file(
        "unknown.yaml",
        &WIDGET.replace("colour: red", "colour: red, unheard: 1"),
    );
    let output = cluster.run(&["apply", "-f", &unknown]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("strict decoding error: unknown field \"spec.unheard\""),
        "{error}"
    );
    let invalid = cluster.file("invalid.yaml", &WIDGET.replace("red", "incredibly-red"));
    let output = cluster.run(&["create", "-f", &invalid]).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("spec.colour: Too long: may not be more than 10 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn kubectl_follows_changes() {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let cluster = Cluster::start("follows").await;
    install(&cluster.client).await;
    let api = widgets(&cluster.client);
    api.create(&PostParams::default(), &widget("a"))
        .await
        .unwrap();
    let all = cluster.text(&["get", "all", "--no-headers"]).await;
    assert!(
        all.starts_with("a "),
        "the category leads to the kind: {all}"
    );
    let mut kubectl = cluster
        .command(&["get", "wd", "-w", "--no-headers"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(kubectl.stdout.take().unwrap()).lines();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("a "));
    api.create(&PostParams::default(), &widget("b"))
        .await
        .unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().starts_with("b "));
    kubectl.kill().await.unwrap();
}
