package worker

import "time"

// IdleGrace is how long an idle HTTP/1 connection is left open while the worker
// drains: the master's Config.IdleGrace.
func (w *Worker) IdleGrace() time.Duration { return w.times.Load().IdleGrace }

// SaysClose reports whether the conn itself puts "Connection: close" into an HTTP/1
// answer of a drain. Package rotahttp asks, so that it isn't said twice.
func (c *conn) SaysClose() bool { return !c.dark.Load() }
