//! `crd`: the custom resource definitions.

use crate::cli::CrdArgs;
use crate::failure::Failure;

pub(crate) fn main(_args: &CrdArgs) -> Result<(), Failure> {
    Ok(())
}
