//! The control plane that the other tests rely on: it enforces CEL transition rules, collects
//! garbage, tells who asked what, lets in only whom it should, and keeps its data over a restart.

use crate::harness::{
    AuditEvent, ControlPlane, DEADLINE, Operator, Result, User, apply_crd, custom_resource,
    eventually, eventually_gone, eventually_list, until,
};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, ServiceAccount},
        rbac::v1::{Role, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{
        DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams, PropagationPolicy,
    },
    runtime::watcher,
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

fn probes(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(
        client.clone(),
        namespace,
        &custom_resource("tests.kubernaut.ai", "v1", "Probe", "probes"),
    )
}

fn probe(name: &str, size: u32) -> DynamicObject {
    let resource = custom_resource("tests.kubernaut.ai", "v1", "Probe", "probes");
    DynamicObject::new(name, &resource).data(json!({"spec": {"size": size}}))
}

/// A probe that blocks the deletion of its owner.
fn child_of(owner: &DynamicObject) -> Result<DynamicObject> {
    let reference = serde_json::from_value(json!({
        "apiVersion": "tests.kubernaut.ai/v1",
        "kind": "Probe",
        "name": owner.name_any(),
        "uid": owner.uid(),
        "blockOwnerDeletion": true,
    }))?;
    let mut child = probe("child", 1);
    child.metadata.owner_references = Some(vec![reference]);
    Ok(child)
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    let data = BTreeMap::from([(String::from("key"), value.to_owned())]);
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn cel_transition_rules_are_enforced() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("cel").await?;
    let probes = probes(&plane.client(User::Admin).await?, &namespace);
    probes
        .create(&PostParams::default(), &probe("growing", 2))
        .await?;

    let resize = |size: u32| Patch::Merge(json!({"spec": {"size": size}}));
    let grown = probes
        .patch("growing", &PatchParams::default(), &resize(3))
        .await?;
    assert_eq!(grown.data["spec"]["size"], 3);

    let refused = probes
        .patch("growing", &PatchParams::default(), &resize(1))
        .await
        .expect_err("a shrunk probe was accepted");
    let kube::Error::Api(status) = refused else {
        panic!("no answer of the API server: {refused}")
    };
    assert_eq!(status.code, 422);
    assert!(
        status.message.contains("size may only grow"),
        "{}",
        status.message
    );
    Ok(())
}

#[tokio::test]
async fn children_of_a_deleted_owner_are_collected() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("garbage").await?;
    let probes = probes(&plane.client(User::Admin).await?, &namespace);
    let owner = probes
        .create(&PostParams::default(), &probe("owner", 1))
        .await?;
    let child = child_of(&owner)?;
    probes.create(&PostParams::default(), &child).await?;
    probes
        .create(&PostParams::default(), &probe("stranger", 1))
        .await?;

    probes
        .delete(
            "owner",
            &DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                ..DeleteParams::default()
            },
        )
        .await?;
    eventually_gone(&probes, "child", DEADLINE).await?;
    let left = eventually_list(
        &probes,
        watcher::Config::default(),
        "one is left",
        DEADLINE,
        |left| left.len() == 1,
    )
    .await?;
    assert_eq!(left[0].name_any(), "stranger");
    Ok(())
}

#[tokio::test]
async fn the_audit_log_tells_who_asked_what() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("audit").await?;
    let mark = plane.audit_mark();
    let agent = format!("somebody-in-{namespace}");
    let maps: Api<ConfigMap> = Api::namespaced(
        plane.client_named(User::ChildControllers, &agent).await?,
        &namespace,
    );
    maps.create(&PostParams::default(), &config_map("first", "1"))
        .await?;
    maps.create(&PostParams::default(), &config_map("first", "2"))
        .await
        .expect_err("the same name was accepted twice");
    maps.delete("first", &DeleteParams::default()).await?;

    let by_agent =
        |event: &AuditEvent| event.user_agent == agent && event.stage == "ResponseComplete";
    let seen = plane
        .audited(mark, "requests of this agent", 3, DEADLINE, by_agent)
        .await?;
    let seen: Vec<(&str, u16)> = seen
        .iter()
        .map(|event| (event.verb.as_str(), event.code()))
        .collect();
    assert_eq!(seen, [("create", 201), ("create", 409), ("delete", 200)]);
    for event in plane
        .audit_since(mark)?
        .iter()
        .filter(|event| by_agent(event))
    {
        assert!(event.is_in(&namespace) && event.is_write(), "{event:?}");
        assert_eq!(event.user.username, "child-controllers");
    }
    Ok(())
}

#[tokio::test]
async fn rbac_lets_in_only_whom_it_should() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("rbac").await?;
    let accounts: Api<ServiceAccount> =
        Api::namespaced(plane.client(User::Admin).await?, &namespace);
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some("somebody".into()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    accounts.create(&PostParams::default(), &account).await?;

    let as_account: Api<ConfigMap> = Api::namespaced(
        plane.service_account_client(&namespace, "somebody").await?,
        &namespace,
    );
    let refused = as_account
        .get("any")
        .await
        .expect_err("an unbound ServiceAccount was let in");
    let kube::Error::Api(status) = refused else {
        panic!("no answer of the API server: {refused}")
    };
    assert!(status.is_forbidden(), "{status:?}");
    let known_as = format!("system:serviceaccount:{namespace}:somebody");
    assert!(status.message.contains(&known_as), "{}", status.message);

    let as_children: Api<ConfigMap> =
        Api::namespaced(plane.client(User::ChildControllers).await?, &namespace);
    assert!(as_children.get_opt("any").await?.is_none());
    Ok(())
}

/// With `blockOwnerDeletion` a child can keep its owner from being deleted, so that its creator
/// needs the right to update the owner's finalizers.
#[tokio::test]
async fn a_blocking_owner_reference_needs_the_right_to_the_owners_finalizers() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("owners").await?;
    let admin = plane.client(User::Admin).await?;
    let owner = probes(&admin, &namespace)
        .create(&PostParams::default(), &probe("owner", 1))
        .await?;
    let roles: Api<Role> = Api::namespaced(admin.clone(), &namespace);
    let rule = |resource: &str, verb: &str| {
        json!({
            "apiGroups": ["tests.kubernaut.ai"],
            "resources": [resource],
            "verbs": [verb],
        })
    };
    let mut role: Role = serde_json::from_value(
        json!({"metadata": {"name": "creator"}, "rules": [rule("probes", "create")]}),
    )?;
    role = roles.create(&PostParams::default(), &role).await?;
    let bindings: Api<RoleBinding> = Api::namespaced(admin, &namespace);
    let binding = serde_json::from_value(json!({
        "metadata": {"name": "creator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "creator"},
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": User::Operator.name(),
        }],
    }))?;
    bindings.create(&PostParams::default(), &binding).await?;

    let as_operator = probes(&plane.client(User::Operator).await?, &namespace);
    let child = child_of(&owner)?;
    // The authorizer learns of a new role from a watch: before it, the answer is 403 for another
    // reason.
    let refused = until(DEADLINE, async || {
        match as_operator.create(&PostParams::default(), &child).await {
            Err(kube::Error::Api(status)) if status.message.contains("blockOwnerDeletion") => {
                Some(Ok(*status))
            }
            Err(_) => None,
            Ok(created) => Some(Err(created)),
        }
    });
    let status = refused
        .await
        .expect("the refusal did not come in time")
        .expect("the child was created");
    assert!(status.is_forbidden(), "{status:?}");

    role.rules
        .get_or_insert_default()
        .push(serde_json::from_value(rule("probes/finalizers", "update"))?);
    roles
        .replace("creator", &PostParams::default(), &role)
        .await?;
    let created = until(DEADLINE, async || {
        as_operator
            .create(&PostParams::default(), &child)
            .await
            .ok()
    })
    .await;
    assert_eq!(
        created.map(|child| child.name_any()),
        Some(String::from("child"))
    );
    Ok(())
}

#[tokio::test]
async fn kubectl_talks_to_it() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("kubectl").await?;
    let probes = probes(&plane.client(User::Admin).await?, &namespace);
    probes
        .create(&PostParams::default(), &probe("seen", 1))
        .await?;

    let output = plane
        .kubectl(
            User::Admin,
            &["get", "probes", "-n", &namespace, "-o", "name"],
        )
        .await?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "probe.tests.kubernaut.ai/seen\n"
    );
    Ok(())
}

/// A kind that is installed later is served as soon as `apply_crd` returns.
#[tokio::test]
async fn a_kind_can_be_installed_later() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("later").await?;
    let admin = plane.client(User::Admin).await?;
    let crd: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "latecomers.tests.kubernaut.ai"},
        "spec": {
            "group": "tests.kubernaut.ai",
            "scope": "Namespaced",
            "names": {"kind": "Latecomer", "plural": "latecomers"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }],
        },
    }))?;
    apply_crd(&admin, &crd).await?;
    let resource = custom_resource("tests.kubernaut.ai", "v1", "Latecomer", "latecomers");
    let latecomers: Api<DynamicObject> = Api::namespaced_with(admin, &namespace, &resource);
    latecomers
        .create(
            &PostParams::default(),
            &DynamicObject::new("one", &resource),
        )
        .await?;
    eventually(&latecomers, "one", "it is there", DEADLINE, |one| {
        one.uid().is_some()
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_api_server_comes_back_on_its_port_with_its_data() -> Result {
    let plane = ControlPlane::start(&[]).await?;
    let namespace = plane.namespace("restart").await?;
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(User::Admin).await?, &namespace);
    let before = maps
        .create(&PostParams::default(), &config_map("kept", "here"))
        .await?;

    plane.stop_api_server();
    maps.get("kept")
        .await
        .expect_err("a stopped API server answered");
    plane.start_api_server().await?;

    // The same client, so that the port and the certificate are the same too.
    let after = maps.get("kept").await?;
    assert_eq!(after, before);
    plane.restart_api_server().await?;
    assert_eq!(
        maps.get("kept").await?.resource_version(),
        before.resource_version()
    );
    Ok(())
}

/// A program that cannot run is told with its own words, not with a deadline.
#[tokio::test]
async fn an_operator_that_ends_at_once_is_reported_with_its_log() -> Result {
    let plane = ControlPlane::shared().await?;
    let Err(failure) =
        Operator::start(&plane.kubeconfig(User::Operator), &["--no-such-flag"]).await
    else {
        panic!("an operator with an unknown flag became ready");
    };
    assert!(
        format!("{failure:?}").contains("the operator ended"),
        "{failure:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_wait_that_fails_shows_what_was_last_seen() -> Result {
    let plane = ControlPlane::shared().await?;
    let namespace = plane.namespace("waits").await?;
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(User::Admin).await?, &namespace);
    maps.create(
        &PostParams::default(),
        &config_map("waited-for", "the-last-value"),
    )
    .await?;
    let never = eventually(
        &maps,
        "waited-for",
        "it has an owner",
        Duration::from_millis(500),
        |map| !map.owner_references().is_empty(),
    );
    let failure = format!(
        "{:?}",
        never.await.expect_err("an owner appeared from nowhere")
    );
    assert!(
        failure.contains("it has an owner") && failure.contains("the-last-value"),
        "{failure}"
    );
    assert!(!failure.contains("managedFields"), "{failure}");
    Ok(())
}
