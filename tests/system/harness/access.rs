//! Who talks to the control plane: users with tokens, their kubeconfigs and clients, and
//! ServiceAccounts.

use super::{Context, ControlPlane, Failure, Result};
use http::{HeaderValue, header::USER_AGENT};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
    rbac::v1::{ClusterRoleBinding, RoleRef, Subject},
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{fmt::Write, path::Path, path::PathBuf, process::Output};

/// Somebody with a token from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// May do everything; not subject to RBAC.
    Admin,
    /// The operator. May do nothing until a test binds a role to it.
    Operator,
    /// Plays the controllers that fill in the children. Subject to admission policies; RBAC allows
    /// it everything.
    ChildControllers,
    /// The kube-controller-manager, that is the garbage collector.
    ControllerManager,
}

impl User {
    pub(super) const ALL: [Self; 4] = [
        Self::Admin,
        Self::Operator,
        Self::ChildControllers,
        Self::ControllerManager,
    ];

    /// The name under which the API server, RBAC and the audit log know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::ChildControllers => "child-controllers",
            Self::ControllerManager => "controller-manager",
        }
    }

    fn groups(self) -> &'static str {
        match self {
            Self::Admin | Self::ControllerManager => "system:masters",
            Self::Operator | Self::ChildControllers => "",
        }
    }

    /// Worth nothing outside the control plane, which listens on loopback and lasts one test run.
    fn token(self) -> String {
        format!("{}-token", self.name())
    }
}

/// The contents of `--token-auth-file`.
pub(super) fn token_file() -> String {
    let mut lines = String::new();
    for user in User::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "{},{name},{name},\"{}\"",
            user.token(),
            user.groups(),
            name = user.name()
        );
    }
    lines
}

impl ControlPlane {
    /// A kubeconfig for the operator's binary and for kubectl.
    pub(crate) fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder().join(format!("{}.kubeconfig", user.name()))
    }

    pub(super) fn write_kubeconfigs(&self) -> Result {
        User::ALL.into_iter().try_for_each(|user| {
            self.write_kubeconfig(&self.kubeconfig(user), &user.token(), "default")
        })
    }

    /// kubeconfigs are YAML, and so is JSON.
    fn write_kubeconfig(&self, path: &Path, token: &str, namespace: &str) -> Result {
        let cluster = serde_json::json!({
            "server": self.url(),
            "certificate-authority": self.certificate(),
        });
        let context =
            serde_json::json!({"cluster": "tests", "user": "user", "namespace": namespace});
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": context}],
            "current-context": "tests",
        });
        std::fs::write(path, kubeconfig.to_string())
            .context(|| format!("writing {}", path.display()))
    }

    /// A client that lives on the runtime of the caller. Its user agent is `system-tests/<user>`.
    pub(crate) async fn client(&self, user: User) -> Result<Client> {
        client(
            &self.kubeconfig(user),
            &format!("system-tests/{}", user.name()),
        )
        .await
    }

    /// A client with a user agent of its own, by which the audit log tells it from others.
    pub(crate) async fn client_named(&self, user: User, user_agent: &str) -> Result<Client> {
        client(&self.kubeconfig(user), user_agent).await
    }

    /// Makes a namespace that no other test has: `prefix` and a number.
    pub(crate) async fn namespace(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", self.next_number());
        let namespaces: Api<Namespace> = Api::all(self.client(User::Admin).await?);
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .context(|| format!("creating the namespace {name}"))?;
        Ok(name)
    }

    /// A kubeconfig with a token of this ServiceAccount, which must exist; its namespace is the
    /// ServiceAccount's. The token is good for an hour.
    pub(crate) async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> =
            Api::namespaced(self.client(User::Admin).await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec::default()),
            ..TokenRequest::default()
        };
        let asked = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await;
        let answer = asked
            .context(|| format!("asking for a token of the ServiceAccount {namespace}/{name}"))?;
        let token = answer
            .status
            .and_then(|status| status.token)
            .ok_or_else(|| Failure::new("the answer to the TokenRequest has no token"))?;
        let path = self
            .folder()
            .join(format!("serviceaccount-{namespace}-{name}.kubeconfig"));
        self.write_kubeconfig(&path, &token, namespace)?;
        Ok(path)
    }

    /// A client with a token of this ServiceAccount, which must exist.
    pub(crate) async fn service_account_client(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Client> {
        let kubeconfig = self.service_account_kubeconfig(namespace, name).await?;
        client(&kubeconfig, &format!("system-tests/{name}")).await
    }

    /// Binds a ClusterRole to a user in every namespace.
    pub(crate) async fn bind_cluster_role(&self, role: &str, user: User) -> Result {
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client(User::Admin).await?);
        let binding = ClusterRoleBinding {
            metadata: ObjectMeta {
                name: Some(format!("{}-{role}", user.name())),
                ..ObjectMeta::default()
            },
            role_ref: RoleRef {
                api_group: Some("rbac.authorization.k8s.io".into()),
                kind: "ClusterRole".into(),
                name: role.into(),
            },
            subjects: Some(vec![Subject {
                api_group: Some("rbac.authorization.k8s.io".into()),
                kind: "User".into(),
                name: user.name().into(),
                namespace: None,
            }]),
        };
        match bindings.create(&PostParams::default(), &binding).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => {
                Err(error).context(|| format!("binding the ClusterRole {role} to {}", user.name()))
            }
        }
    }

    /// Runs kubectl as this user; a non-zero exit is in the output, not an error.
    pub(crate) async fn kubectl(&self, user: User, args: &[&str]) -> Result<Output> {
        let program = &self.binaries().kubectl;
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig(user))
            .args(args)
            .kill_on_drop(true);
        // kubectl keeps what it discovers; not in the developer's home.
        command.env("KUBECACHEDIR", self.folder().join("kubectl-cache"));
        command
            .output()
            .await
            .context(|| format!("running {}", program.display()))
    }
}

async fn client(kubeconfig: &Path, user_agent: &str) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_str(user_agent)?));
    Client::try_from(config).context(|| format!("a client from {}", kubeconfig.display()))
}
