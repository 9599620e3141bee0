// Package spread proves that no connection is lost, however they are spread over the workers,
// and that none waits for a worker that doesn't accept.
package spread
