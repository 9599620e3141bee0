// Package limits proves what a master does at the limits of the system: no process or thread
// more, no descriptor more.
package limits
