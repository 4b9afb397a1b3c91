//! The six categories of edge cases of the enhancement guide, a file each.

mod concurrency;
mod data_integrity;
mod failure_cascades;
mod resource_exhaustion;
mod state_inconsistencies;
mod timing;
