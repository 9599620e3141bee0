package worker

import "time"

// IdleGrace is how long an idle HTTP/1 connection is left open while the worker
// drains: the master's Config.IdleGrace.
func (w *Worker) IdleGrace() time.Duration { return w.times.Load().IdleGrace }
