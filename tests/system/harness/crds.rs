//! The kinds that the control plane knows from its start.

use super::{Context, DEADLINE, Result, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
    runtime::{conditions::is_crd_established, wait::Condition},
};

/// Installs or updates a CRD and returns when the API server serves every version of it.
///
/// The garbage collector looks for new kinds every 30 s: one that it has to know at once must be
/// given to [`ControlPlane::start`](super::ControlPlane::start).
pub(crate) async fn apply_crd(client: &Client, crd: &CustomResourceDefinition) -> Result {
    let name = crd.name_any();
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("system-tests").force();
    api.patch(&name, &params, &Patch::Apply(crd))
        .await
        .context(|| format!("installing the CRD {name}"))?;
    eventually(&api, &name, "the CRD is established", DEADLINE, |crd| {
        is_crd_established().matches_object(Some(crd))
    })
    .await?;
    for version in crd.spec.versions.iter().filter(|version| version.served) {
        served(client, crd, &version.name).await?;
    }
    Ok(())
}

/// An established kind still answers 404 or 429 for a moment.
async fn served(client: &Client, crd: &CustomResourceDefinition, version: &str) -> Result {
    let resource = custom_resource(
        &crd.spec.group,
        version,
        &crd.spec.names.kind,
        &crd.spec.names.plural,
    );
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let nothing = ListParams::default().limit(1);
    let answer = super::until(DEADLINE, async || api.list_metadata(&nothing).await.ok()).await;
    answer.map(|_| ()).ok_or_else(|| {
        super::Failure::new(format!(
            "{} {version} is not served within {DEADLINE:?}",
            crd.name_any()
        ))
    })
}

/// What [`DynamicObject`] needs to know of a custom kind.
pub(crate) fn custom_resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// The kinds of the shared control plane: the project's own, and [`Probe`](probe), on which the
/// control plane itself is tried.
pub(super) fn all() -> Result<Vec<CustomResourceDefinition>> {
    let mut all = remediation_adapters::kubernetes::crd::all();
    all.push(probe()?);
    Ok(all)
}

/// A kind whose `spec.size` may only grow.
fn probe() -> Result<CustomResourceDefinition> {
    serde_json::from_value(serde_json::json!({
        "metadata": {"name": "probes.tests.kubernaut.ai"},
        "spec": {
            "group": "tests.kubernaut.ai",
            "scope": "Namespaced",
            "names": {"kind": "Probe", "plural": "probes", "singular": "probe"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object",
                    "properties": {"size": {
                        "type": "integer",
                        "x-kubernetes-validations": [
                            {"rule": "self >= oldSelf", "message": "size may only grow"},
                        ],
                    }},
                }}}},
            }],
        },
    }))
    .context(|| String::from("the CRD of Probe"))
}
