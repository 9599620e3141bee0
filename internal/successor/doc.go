// Package successor is the upgrade of a master: how one process of a program hands its
// service over to the next one.
//
// The old master starts the new one, and the new one dials it (see [System], which hides
// tableflip). They talk on a [Link] in [Message]s. [Upgrade] and [Takeover] are the two
// sides as state machines: they decide what a master does after each event. [Attempt] and
// [Follower] do it: they have the link and the timers, and call the master, their owner, for
// what only it can do. The order of an upgrade that succeeds:
//
//	old master                      new master
//	starts the process
//	                     ← hello
//	given, socket, state →
//	                                starts its workers
//	socket →                        for each that is opened from now on
//	                     ← ready
//	tells systemd the pid
//	go →
//	                     ← ready byte (tableflip's): from here on the new one is the master
//	late →                          if there is something
//	drains its workers, exits
package successor
