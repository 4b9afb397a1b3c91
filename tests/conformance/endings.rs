//! Ends of namespaces that random sequences have found to differ, in which a controller has to act.

use serde_json::json;

use crate::{
    harness::Result,
    kinds::NAMESPACE,
    known::same_steps,
    request::{Request, Step},
};

/// Waits until the namespace of the test has been emptied.
fn emptied() -> Step {
    Step::Settle(vec![format!(
        "{}?kubernetes.io/metadata.name=in-{{ns}}",
        NAMESPACE.collection()
    )])
}

fn made(metadata: (&str, serde_json::Value)) -> Step {
    let mut namespace = NAMESPACE.plain("in-{ns}");
    namespace["metadata"][metadata.0] = metadata.1;
    Step::Send(Request::post(NAMESPACE.collection(), namespace))
}

fn deleted() -> Step {
    Step::Send(Request::delete(NAMESPACE.object("in-{ns}")))
}

fn seen() -> Step {
    Step::Send(Request::get(NAMESPACE.object("in-{ns}")))
}

/// A namespace that is empty waits for its finalizers, and goes with the last. Meanwhile it can be deleted again.
#[tokio::test]
async fn the_finalizers_of_a_namespace_hold_it() -> Result {
    let free = json!({"metadata": {"finalizers": null}});
    let steps = [
        made(("finalizers", json!(["example.com/hold"]))),
        deleted(),
        emptied(),
        deleted(),
        seen(),
        Step::Send(Request::merge(NAMESPACE.object("in-{ns}"), free)),
        emptied(),
        seen(),
    ];
    same_steps(&steps, 404).await
}

/// The status of a namespace in deletion says so for good.
#[tokio::test]
async fn a_namespace_in_deletion_stays_terminating() -> Result {
    let active = json!({"status": {"phase": "Active"}});
    let status = format!("{}/status", NAMESPACE.object("in-{ns}"));
    let steps = [
        made(("finalizers", json!(["example.com/hold"]))),
        deleted(),
        emptied(),
        Step::Send(Request::merge(status, active)),
    ];
    same_steps(&steps, 422).await
}

/// Other objects count their deletion.
#[tokio::test]
async fn a_namespace_does_not_count_its_deletion_as_a_generation() -> Result {
    let steps = [made(("generation", json!(7))), deleted(), emptied(), seen()];
    same_steps(&steps, 404).await
}

/// Seen as a table, a namespace in deletion tells of no more than it does otherwise.
#[tokio::test]
async fn a_table_of_namespaces_shows_one_that_goes() -> Result {
    let selected = |request: Request| request.query("labelSelector", "sequence={ns}");
    let collection = || selected(Request::get(NAMESPACE.collection()));
    let labelled = |name, mark| {
        let mut namespace = NAMESPACE.plain(name);
        namespace["metadata"]["labels"] = json!({"sequence": "{ns}", "mark": mark});
        Request::post(NAMESPACE.collection(), namespace)
    };
    let table = collection()
        .query("watch", "1")
        .query("resourceVersion", "{listrv}")
        .accept("application/json;as=Table;v=v1;g=meta.k8s.io");
    let steps = [
        Step::Send(labelled("in-{ns}", "none")),
        Step::Send(collection()),
        Step::Watch {
            request: table,
            closing: vec![labelled("zz-{ns}", "mark-0")],
            mark: "mark-0".to_owned(),
        },
        deleted(),
        emptied(),
        seen(),
    ];
    same_steps(&steps, 404).await
}
