// Package deploy has files that run a server on several hosts: for HAProxy, nginx, systemd,
// Kubernetes, Docker, Ansible and Nomad. docs/fleet.md explains them. The package has tests only,
// which check the files with the tools that read them.
package deploy
