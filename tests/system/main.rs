//! Whole-system tests: the real operator binary against a real Kubernetes control plane. One
//! behaviour a file.
//!
//! They need kube-apiserver, etcd, kube-controller-manager and kubectl: from the folder
//! `KUBEBUILDER_ASSETS`, from `PATH`, or built once with the Go on `PATH` into the target
//! directory.

mod harness;

mod control_plane_works;
