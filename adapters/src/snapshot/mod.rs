//! Snapshots: objects as somebody dumped them into a file, with `kubectl get … -o yaml` or `-o json`.

mod dump;
mod gather;

pub use dump::{Dump, DumpError, Found, Place, parse};
pub use gather::{Gathered, Remediation, gather};
