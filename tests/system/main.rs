//! Whole-system tests: the real operator binary against a real Kubernetes control plane. One
//! behaviour a file.
//!
//! They need kube-apiserver, etcd, kube-controller-manager and kubectl: from the folder
//! `KUBEBUILDER_ASSETS`, from `PATH`, or built once with the Go on `PATH` into the target
//! directory.

mod harness;
mod stage;

mod admission;
mod bad_input;
mod budget;
mod control_plane_works;
mod crashes;
mod deletion;
mod edge_cases;
mod guide;
mod kubectl;
mod names;
mod outages;
mod rbac;
mod replicas;
mod suspension;
mod transitions;
