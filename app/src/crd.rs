//! `crd`: the custom resource definitions.

use std::io::Write;

use remediation_adapters::kubernetes::crd;

use crate::cli::{CrdArgs, Manifest};
use crate::failure::Failure;

pub(crate) fn main(args: &CrdArgs) -> Result<(), Failure> {
    let text = match args.output {
        Manifest::Yaml => documents()?
            .into_iter()
            .fold(String::new(), |text, (_, document)| {
                text + "---\n" + &document
            }),
        Manifest::Json => {
            let list =
                serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": crd::all() });
            serde_json::to_string_pretty(&list).map_err(|error| unprintable(&error))? + "\n"
        }
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::writing(&error))
}

/// Each definition's name and its YAML, in the order in which [`crd::all`] has them.
fn documents() -> Result<Vec<(String, String)>, Failure> {
    crd::all()
        .into_iter()
        .map(|definition| {
            let name = definition.metadata.name.clone().unwrap_or_default();
            let yaml = serde_saphyr::to_string(&definition).map_err(|error| unprintable(&error))?;
            Ok((name, yaml))
        })
        .collect()
}

fn unprintable(error: &dyn std::fmt::Display) -> Failure {
    Failure::Check(format!(
        "the definitions cannot be printed: {error}; this is a mistake in this program, please report it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_committed;

    #[test]
    fn the_committed_definitions_are_current() {
        for (name, yaml) in documents().unwrap() {
            let (plural, _) = name.split_once('.').unwrap();
            assert_committed(
                &format!("deploy/crds/{plural}.yaml"),
                &format!("# Printed by `remediation-orchestrator crd`; do not edit.\n{yaml}"),
            );
        }
    }

    #[test]
    fn the_yaml_reads_back_as_the_same_definitions() {
        for ((_, yaml), definition) in documents().unwrap().iter().zip(crd::all()) {
            let read: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
            assert_eq!(read, serde_json::to_value(definition).unwrap());
        }
    }
}
