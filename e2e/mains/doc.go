// Package mains tests that programs behave with rota.Listen as with net.Listen, whatever
// their main has begun before: at the start, in a reload, at TERM, and as PID 1.
package mains
