// Package kubernetes checks app.yaml with the types of Kubernetes, which decode it strictly. It
// has a module of its own, so that the library's stays free of theirs.
package kubernetes
