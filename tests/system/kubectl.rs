//! What a person sees with kubectl: columns, `describe`, `wait`.

use serde_json::json;

use crate::harness::{Failure, Result, User};
use crate::stage::{RPROC, Stage, alert};

async fn kubectl(stage: &Stage, args: &[&str]) -> Result<String> {
    let mut all = vec!["-n", stage.namespace.as_str()];
    all.extend(args);
    let output = stage.plane()?.kubectl(User::Admin, &all).await?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Failure::new(format!("kubectl {}: {error}", args.join(" "))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_where_each_remediation_is_and_can_wait_for_its_end() -> Result {
    let stage = Stage::real("kubectl").await?;
    let outcome = async {
        stage.request_in("web", "Analyzing").await?;
        let table = kubectl(&stage, &["get", "rr"]).await?;
        for column in [
            "NAME",
            "PHASE",
            "PROGRESS",
            "ALERT",
            "ENVIRONMENT",
            "REASON",
            "AGE",
        ] {
            assert!(table.contains(column), "{column} in:\n{table}");
        }
        assert!(
            table.contains("Analyzing") && table.contains("HighPodCrashLoop"),
            "{table}"
        );
        let wide = kubectl(&stage, &["get", "rr", "-o", "wide"]).await?;
        for column in ["TARGET", "WAITINGFOR", "PHASEAGE", "DEADLINE", "ATTEMPT"] {
            assert!(wide.contains(column), "{column} in:\n{wide}");
        }
        assert!(
            wide.contains("AIAnalysis/web-aianalysis") && !wide.contains("<invalid>"),
            "{wide}"
        );
        let all = kubectl(&stage, &["get", "kubernaut"]).await?;
        assert!(
            all.contains("web-processing") && all.contains("web-aianalysis"),
            "{all}"
        );
        let selected = kubectl(
            &stage,
            &[
                "get",
                "rr",
                "--field-selector",
                "status.phase=Analyzing",
                "-o",
                "name",
            ],
        )
        .await?;
        assert_eq!(
            selected.trim(),
            "remediationrequest.remediation.kubernaut.ai/web"
        );

        stage.take_to("web", "Completed").await?;
        kubectl(
            &stage,
            &[
                "wait",
                "rr/web",
                "--for=condition=Complete",
                "--timeout=20s",
            ],
        )
        .await?;
        stage.request_in("broken", "Processing").await?;
        stage
            .says(
                RPROC,
                "broken-processing",
                json!({ "phase": "Failed", "reason": "Broken" }),
            )
            .await?;
        kubectl(
            &stage,
            &[
                "wait",
                "rr/broken",
                "--for=condition=Failed",
                "--timeout=20s",
            ],
        )
        .await?;
        let ended = "--for=jsonpath={.status.completionTime}";
        kubectl(
            &stage,
            &["wait", "rr/web", "rr/broken", ended, "--timeout=20s"],
        )
        .await?;
        let described = kubectl(&stage, &["describe", "rr", "broken"]).await?;
        assert!(described.contains("Broken"), "{described}");
        Ok(())
    }
    .await;
    stage.close(outcome).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_a_list_pass_kubectls_own_validation() -> Result {
    let stage = Stage::real("kubectl-list").await?;
    let outcome = async {
        let mut data = alert();
        data["priority"] = json!("P1");
        data["severity"] = json!("info");
        let item = json!({
            "apiVersion": "remediation.kubernaut.ai/v1alpha1",
            "kind": "RemediationRequest",
            "metadata": { "name": "listed" },
            "spec": { "targetingData": data },
        });
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [item] });
        let file =
            std::env::temp_dir().join(format!("{}-{}.json", stage.namespace, std::process::id()));
        std::fs::write(&file, list.to_string())?;
        let path = file.display().to_string();
        let applied = kubectl(&stage, &["apply", "--validate=strict", "-f", &path]).await;
        std::fs::remove_file(&file)?;
        assert!(applied?.contains("listed created"));
        stage.until_phase("listed", "Processing").await?;
        Ok(())
    }
    .await;
    stage.close(outcome).await
}
