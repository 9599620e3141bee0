// Package cluster has no code of its own: below it are the programs of Node's cluster
// documentation, in Go, to be read beside the original.
//
//   - http: as many workers as there are CPUs, on one port
//   - timeouts: the events fork, listening and exit
//   - respawn: a worker that dies is replaced
//   - announce: a message to all workers
//   - echo: a message to a worker and back
//   - requests: workers tell the master what they do
//   - disconnect: a graceful end, with a time limit
//
// Two things are different everywhere. A Go program ends when main returns, so a
// master waits for a signal, and then for its workers. And what happens between two
// lines of Go is anybody's guess, so a master subscribes before it forks.
package cluster
