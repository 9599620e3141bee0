// Package migrate has the programs of the guides in docs/migrate, each in a directory
// of its own. Its test starts each program, reloads it under load, and fails if a
// request is lost.
package migrate
