//! The project's kinds in a simulated cluster.

use kube::api::{Api, PostParams};

use crate::kubernetes::crd;

/// Installs the definitions of all kinds.
///
/// # Errors
/// If the server refuses one.
pub async fn install_definitions(client: &kube::Client) -> kube::Result<()> {
    let definitions = Api::all(client.clone());
    for definition in crd::all() {
        definitions
            .create(&PostParams::default(), &definition)
            .await?;
    }
    Ok(())
}
